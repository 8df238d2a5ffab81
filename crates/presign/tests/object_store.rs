//! Clients of `object_store` as signers, and their credentials.

#![cfg(all(feature = "object_store", feature = "aws-credentials"))]

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::CredentialProvider as _;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer, Url};
use object_store::{Error, StaticCredentialProvider};
use secure_download_core::{SignError, UrlSigner};
use secure_download_presign::{CredentialProvider, S3Bucket, S3Signer, StoreCredentials, StoreSigner};
use support::{block_on, file, grant, now};

const FIVE: Duration = Duration::from_secs(5);

fn s3() -> object_store::aws::AmazonS3 {
    let builder = AmazonS3Builder::new().with_region("eu-central-1").with_bucket_name("scans");
    builder.with_access_key_id("AKIDEXAMPLE").with_secret_access_key("hush").build().expect("a client")
}

fn sign(signer: &StoreSigner, record: secure_download_core::Download) -> Result<String, SignError> {
    let signed = block_on(signer.sign(&grant(record), &Method::GET, FIVE, now()))?;
    assert_eq!(signed.expires_at(), now() + FIVE);
    Ok(signed.expose().to_owned())
}

#[test]
fn a_clients_url_carries_every_header() {
    let signer = StoreSigner::new(Arc::new(s3()));
    let record = file("a/ü %2e.png").filename("a b.png").content_type("image/png").version("v/1");
    let url = Url::parse(&sign(&signer, record).expect("signed")).expect("a URL");
    let value =
        |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(value("response-cache-control").as_deref(), Some("private, no-store"));
    assert_eq!(value("response-content-disposition").as_deref(), Some("attachment; filename=\"a b.png\""));
    assert_eq!(value("response-content-type").as_deref(), Some("image/png"));
    assert_eq!(value("versionId").as_deref(), Some("v/1"));
    assert_eq!(value("X-Amz-Expires").as_deref(), Some("5"));
    assert!(url.path().ends_with("/a/%C3%BC%20%252e.png"), "{}", url.path());
    assert!(matches!(sign(&signer, file("a").volume("other")), Err(SignError::Inexpressible(_))));
    assert!(!format!("{signer:?}").contains("hush"));
}

#[test]
fn each_volume_is_signed_by_its_own_client() {
    let other = AmazonS3Builder::new().with_region("eu-central-1").with_bucket_name("tenant");
    let other =
        other.with_access_key_id("AKIDOTHER").with_secret_access_key("hush").build().expect("a client");
    let signer = StoreSigner::new(Arc::new(s3())).volume("tenant", Arc::new(other));
    for (record, bucket, credentials) in
        [(file("a"), "/scans/", "AKIDEXAMPLE"), (file("a").volume("tenant"), "/tenant/", "AKIDOTHER")]
    {
        let url = sign(&signer, record).expect("signed");
        assert!(url.contains(bucket) && url.contains(credentials), "{url}");
    }
}

#[test]
fn a_client_that_cannot_sign_headers_declines() {
    let azure =
        MicrosoftAzureBuilder::new().with_account("a").with_access_key("aHVzaA==").with_container_name("c");
    let signer = StoreSigner::new(Arc::new(azure.build().expect("a client")));
    assert!(matches!(sign(&signer, file("a")), Err(SignError::Inexpressible(_))));
    // Google's parameters know no Cache-Control, so the objects must have it.
    let gcs = StoreSigner::gcs(Arc::new(s3()));
    assert!(matches!(sign(&gcs, file("a")), Err(SignError::Inexpressible(_))));
    let gcs = gcs.stored_cache_control("private, no-store");
    let url = sign(&gcs, file("a").version("17")).expect("signed");
    assert!(url.contains("generation=17") && !url.contains("response-cache-control"), "{url}");
}

/// Changes what a client signed.
#[derive(Debug)]
struct Careless(fn(Url) -> Url);

#[async_trait]
impl Signer for Careless {
    async fn signed_url(&self, method: Method, path: &Path, expires: Duration) -> Result<Url, Error> {
        s3().signed_url(method, path, expires).await
    }

    async fn signed_url_opts(
        &self,
        method: Method,
        path: &Path,
        expires: Duration,
        options: &SignedUrlOptions,
    ) -> Result<Url, Error> {
        s3().signed_url_opts(method, path, expires, options).await.map(self.0)
    }
}

#[test]
fn a_url_without_what_was_asked_for_is_not_used() {
    type Case = (fn(Url) -> Url, bool);
    let cases: [Case; 5] = [
        (|url| url, true),
        (|url| changed(&url, "response-content-type", "other"), false),
        (|url| changed(&url, "image%2Fpng", "text%2Fhtml"), false),
        (|url| changed(&url, "/key", "/other"), false),
        (|url| Url::parse(&format!("{url}&response-content-type=text%2Fhtml")).expect("a URL"), false),
    ];
    for (change, used) in cases {
        let signed =
            sign(&StoreSigner::new(Arc::new(Careless(change))), file("key").content_type("image/png"));
        assert_eq!(signed.is_ok(), used, "{signed:?}");
    }
}

/// Never answers, as a client whose way to the signing service is cut.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Signer for Silent {
    async fn signed_url(&self, _: Method, _: &Path, _: Duration) -> Result<Url, Error> {
        std::future::pending().await
    }

    async fn signed_url_opts(
        &self,
        _: Method,
        _: &Path,
        _: Duration,
        _: &SignedUrlOptions,
    ) -> Result<Url, Error> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_costs_five_seconds() {
    let started = tokio::time::Instant::now();
    let signed = StoreSigner::new(Arc::new(Silent)).sign(&grant(file("a")), &Method::GET, FIVE, now()).await;
    assert!(matches!(signed, Err(SignError::Failed(_))), "{signed:?}");
    assert_eq!(started.elapsed(), FIVE);
}

fn changed(url: &Url, from: &str, to: &str) -> Url {
    assert!(url.as_str().contains(from), "{url}");
    Url::parse(&url.as_str().replace(from, to)).expect("a URL")
}

#[test]
fn a_clients_credentials_sign_and_temporary_ones_for_five_minutes_at_most() {
    let hour = Duration::from_secs(3600);
    for (token, expected) in [(None, hour), (Some("token"), Duration::from_secs(300))] {
        let credential = AwsCredential {
            key_id: "AKIDEXAMPLE".to_owned(),
            secret_key: "hush".to_owned(),
            token: token.map(str::to_owned),
        };
        let provider = Arc::new(StaticCredentialProvider::new(credential));
        assert!(block_on(provider.get_credential()).is_ok());
        let credentials = StoreCredentials::new(provider);
        let twice = [block_on(credentials.credentials()), block_on(credentials.credentials())];
        let [Ok(one), Ok(two)] = twice else { panic!("credentials") };
        assert!(Arc::ptr_eq(&one, &two), "they are converted once");
        assert_eq!(one.expose_session_token(), token);
        assert!(!format!("{credentials:?}").contains("hush"));
        let bucket = S3Bucket::aws("eu-central-1", "scans").expect("a bucket");
        let signer = S3Signer::with_provider(bucket, credentials);
        let signed = block_on(signer.sign(&grant(file("a")), &Method::GET, hour, now())).expect("signed");
        assert_eq!(signed.expires_at(), now() + expected);
    }
}
