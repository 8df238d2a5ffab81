//! Google Cloud Storage without a private key: Google signs, and this plays Google.

#![cfg(all(feature = "object_store", feature = "gcs"))]

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64ct::{Base64, Encoding as _};
use http::Method;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpService, StaticCredentialProvider,
};
use object_store::gcp::{GcpCredential, GcpSigningCredential, GoogleCloudStorageBuilder};
use secure_download_core::{SignError, UrlSigner as _};
use secure_download_presign::StoreSigner;
use sha2::{Digest as _, Sha256};
use support::{file, grant, now};

const EMAIL: &str = "downloads@project.iam.gserviceaccount.com";
const TOKEN: &str = "ya29.workload-identity";

fn key() -> RsaKeyPair {
    let pem = include_str!("vectors/rsa_test_key.pem");
    let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    RsaKeyPair::from_pkcs8(&Base64::decode_vec(&body).expect("base64")).expect("a key")
}

/// `signBlob` of <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob>.
#[derive(Debug)]
struct Google {
    /// Answers 403, as for an account without the permission.
    refuses: bool,
}

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("another request than Google expects")
    }
}

impl std::error::Error for Refused {}

#[async_trait]
impl HttpService for Google {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let expected =
            format!("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{EMAIL}:signBlob");
        let authorization = request.headers().get("authorization").map(|value| value.as_bytes().to_vec());
        let body: serde_json::Value =
            request.body().as_bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let payload = body["payload"].as_str().and_then(|payload| Base64::decode_vec(payload).ok());
        let known = *request.method() == Method::POST
            && request.uri() == expected.as_str()
            && authorization == Some(format!("Bearer {TOKEN}").into_bytes());
        let Some(payload) = payload.filter(|_| known) else {
            return Err(HttpError::new(HttpErrorKind::Unknown, Refused));
        };
        if self.refuses {
            let answer = http::Response::builder().status(403).body("permission denied".to_owned().into());
            return Ok(answer.expect("a response"));
        }
        let pair = key();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &payload, &mut signature).expect("signed");
        let answer = serde_json::json!({ "keyId": "1", "signedBlob": Base64::encode_string(&signature) });
        Ok(http::Response::new(answer.to_string().into()))
    }
}

#[derive(Debug)]
struct Connector {
    refuses: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Google { refuses: self.refuses }))
    }
}

fn signer(refuses: bool) -> StoreSigner {
    let account = GcpSigningCredential { email: EMAIL.to_owned(), private_key: None };
    let client = GoogleCloudStorageBuilder::new()
        .with_bucket_name("scans")
        .with_http_connector(Connector { refuses })
        .with_credentials(Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: TOKEN.to_owned() })))
        .with_signing_credentials(Arc::new(StaticCredentialProvider::new(account)))
        .build();
    StoreSigner::gcs(Arc::new(client.expect("a client"))).stored_cache_control("private, no-store")
}

#[tokio::test]
async fn google_signs_what_the_url_says() {
    let record = file("a/b.png").filename("a b.png").content_type("image/png").version("17");
    let signed = signer(false).sign(&grant(record), &Method::GET, Duration::from_secs(5), now()).await;
    let signed = signed.expect("signed");
    let (address, query) = signed.expose().split_once('?').expect("a query");
    assert_eq!(address, "https://storage.googleapis.com/scans/a/b.png");
    let (query, signature) = query.split_once("&X-Goog-Signature=").expect("a signature at the end");
    let value = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        percent_encoding::percent_decode_str(found.expect(name)).decode_utf8().expect("UTF-8").into_owned()
    };
    assert_eq!(value("X-Goog-Expires"), "5");
    assert_eq!(value("generation"), "17");
    assert_eq!(value("response-content-type"), "image/png");
    assert_eq!(value("response-content-disposition"), "attachment; filename=\"a b.png\"");

    // As Google would check it: <https://cloud.google.com/storage/docs/authentication/canonical-requests>.
    let mut pairs: Vec<_> = query.split('&').map(str::to_owned).collect();
    pairs.sort();
    let canonical = format!(
        "GET\n/scans/a/b.png\n{}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD",
        pairs.join("&")
    );
    let hash: String = Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    let scope = value("X-Goog-Credential");
    let scope = scope.strip_prefix(EMAIL).and_then(|rest| rest.strip_prefix('/')).expect("the account");
    let text = format!("GOOG4-RSA-SHA256\n{}\n{scope}\n{hash}", value("X-Goog-Date"));
    let signature: Vec<u8> = signature
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("ASCII"), 16).expect("hexadecimal"))
        .collect();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key().public_key().as_ref().to_vec());
    assert!(public.verify(text.as_bytes(), &signature).is_ok(), "{text}");
}

#[tokio::test]
async fn an_account_that_may_not_sign_is_an_error_for_the_log() {
    let signed = signer(true).sign(&grant(file("a")), &Method::GET, Duration::from_secs(5), now()).await;
    assert!(matches!(signed, Err(SignError::Failed(_))), "{signed:?}");
}
