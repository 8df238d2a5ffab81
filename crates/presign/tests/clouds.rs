//! GCS, Azure and CloudFront: what stands in their URLs, and what they decline.

#![cfg(all(feature = "gcs", feature = "azure", feature = "cloudfront"))]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64ct::{Base64, Encoding as _};
use http::Method;
use secure_download_core::{BoxError, Download, SignError, SignedUrl, UrlSigner};
use secure_download_presign::{
    AzureContainer, AzureDelegationKey, AzureKey, AzureKeyProvider, AzureSigner, CloudFrontError,
    CloudFrontKey, CloudFrontSigner, GcsBucket, GcsKey, GcsKeyError, GcsSigner,
};
use support::{block_on, file, grant, now};

const FIVE: Duration = Duration::from_secs(5);
const RSA: &str = include_str!("vectors/rsa_test_key.pem");
const RSA_PKCS1: &str = include_str!("vectors/rsa_test_key_pkcs1.pem");
const ECDSA: &str = include_str!("vectors/ecdsa_test_key.pem");
const NO_STORE: &str = "private, no-store";
const DISPOSITION: &str = "attachment; filename=\"a b.png\"";

fn sign(signer: &dyn UrlSigner, record: Download) -> Result<SignedUrl, SignError> {
    block_on(signer.sign(&grant(record), &Method::GET, FIVE, now()))
}

fn record() -> Download {
    file("a b/ü+%2e.png").filename("a b.png").content_type("image/png")
}

fn inexpressible(signer: &dyn UrlSigner, record: Download) -> bool {
    matches!(sign(signer, record), Err(SignError::Inexpressible(_)))
}

/// Path, and the decoded query.
fn parse(url: &SignedUrl) -> (&str, BTreeMap<&str, String>) {
    let (path, query) = url.expose().split_once('?').expect("a query");
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let pairs = query.split('&').map(|pair| pair.split_once('=').expect("a value"));
    (path, pairs.map(|(name, value)| (name, decode(value))).collect())
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    Base64::decode_vec(&body).expect("base64")
}

#[test]
fn gcs_carries_type_name_and_generation() {
    let keys = || {
        [
            (GcsKey::service_account("a@b.iam.gserviceaccount.com", RSA).expect("a key"), 512),
            (GcsKey::service_account("a@b.iam.gserviceaccount.com", RSA_PKCS1).expect("a key"), 512),
            (GcsKey::hmac("GOOG1EXAMPLE", "hush-hush").expect("a key"), 64),
        ]
    };
    let bucket = || GcsBucket::new("scans").expect("a bucket");
    for (key, digits) in keys() {
        let signer = GcsSigner::new(bucket(), key).stored_cache_control(NO_STORE);
        let url = sign(&signer, record().version("17")).expect("signed");
        assert_eq!(url.expires_at(), now() + FIVE);
        let (path, query) = parse(&url);
        assert_eq!(path, "https://storage.googleapis.com/scans/a%20b/%C3%BC%2B%252e.png");
        assert_eq!(query["response-content-type"], "image/png");
        assert_eq!(query["response-content-disposition"], DISPOSITION);
        assert_eq!((query["generation"].as_str(), query["X-Goog-Expires"].as_str()), ("17", "5"));
        assert_eq!((query["X-Goog-Signature"].len(), query.len()), (digits, 9));
        assert!(inexpressible(&signer, record().volume("other")));
        assert!(!format!("{signer:?}").contains("hush"));
    }
    for (key, _) in keys() {
        assert!(inexpressible(&GcsSigner::new(bucket(), key), record()), "no Cache-Control");
    }
    let json = serde_json::json!({ "client_email": "a@b.example", "private_key": RSA }).to_string();
    assert!(GcsKey::from_json(json.as_bytes()).is_ok());
    for kind in ["external_account", "authorized_user", "impersonated_service_account"] {
        let json = serde_json::json!({ "type": kind, "client_id": "a" }).to_string();
        assert_eq!(GcsKey::from_json(json.as_bytes()).err(), Some(GcsKeyError::NoPrivateKey), "{kind}");
    }
    for bad in ["", "{}", "{\"client_email\":\"a\",\"private_key\":\"b\"}"] {
        assert!(GcsKey::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(GcsKey::hmac("", "hush").is_err() && GcsKey::hmac("a", "").is_err());
    for bad in ["ab", "A-bucket", "a/b", "a..b", "a?b"] {
        assert!(GcsBucket::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn each_volume_is_signed_for_its_own_bucket() {
    let of = |signer: &dyn UrlSigner, record: Download| {
        parse(&sign(signer, record).expect("signed")).0.trim_start_matches("https://").to_owned()
    };
    let key = GcsKey::hmac("GOOG1EXAMPLE", "hush-hush").expect("a key");
    let volume = |address: &str| GcsBucket::at(address, "tenant").expect("a bucket");
    let gcs = GcsSigner::new(GcsBucket::new("scans").expect("a bucket").virtual_host(), key)
        .volume("host", GcsBucket::bound("https://files.example").expect("a bucket").virtual_host())
        .volume("port", volume("https://gcs.example:8443"))
        .volume("path", volume("https://x.example/storage/v1"))
        .volume("dots", GcsBucket::new("files.example").expect("a bucket").virtual_host())
        .stored_cache_control(NO_STORE);
    let azure_key = AzureKey::account(AZURE_KEY).expect("a key");
    let azure = AzureSigner::new(AzureContainer::new("acct", "scans").expect("a container"), azure_key)
        .volume("tenant", AzureContainer::new("other", "files").expect("a container"))
        .volume("path", AzureContainer::at("https://x.example/blobs", "acct", "scans").expect("a container"));
    let cloudfront =
        CloudFrontSigner::new("https://d1.cloudfront.net", CloudFrontKey::new("K", RSA).expect("a key"))
            .and_then(|signer| signer.volume("tenant", "https://d2.cloudfront.net"))
            .and_then(|signer| signer.volume("path", "https://d3.cloudfront.net/scans/"))
            .expect("addresses")
            .origin_overrides();
    let cases: [(&dyn UrlSigner, &str, &str); 11] = [
        (&gcs, "", "scans.storage.googleapis.com/a"),
        (&gcs, "host", "files.example/a"),
        (&gcs, "port", "gcs.example:8443/tenant/a"),
        (&gcs, "dots", "storage.googleapis.com/files.example/a"),
        (&azure, "", "acct.blob.core.windows.net/scans/a"),
        (&azure, "tenant", "other.blob.core.windows.net/files/a"),
        (&cloudfront, "", "d1.cloudfront.net/a"),
        (&cloudfront, "tenant", "d2.cloudfront.net/a"),
        (&gcs, "path", "x.example/storage/v1/tenant/a"),
        (&azure, "path", "x.example/blobs/acct/scans/a"),
        (&cloudfront, "path", "d3.cloudfront.net/scans/a"),
    ];
    for (signer, volume, expected) in cases {
        let record = if volume.is_empty() { file("a") } else { file("a").volume(volume) };
        assert_eq!(of(signer, record), expected);
        assert!(inexpressible(signer, file("a").volume("unknown")));
    }
}

const AZURE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn azure_carries_type_name_and_cache_control() {
    let container = || AzureContainer::new("acct", "scans").expect("a container");
    let signer = AzureSigner::new(container(), AzureKey::account(AZURE_KEY).expect("a key"));
    let url = sign(&signer, record()).expect("signed");
    let (path, query) = parse(&url);
    assert_eq!(path, "https://acct.blob.core.windows.net/scans/a%20b/%C3%BC%2B%252e.png");
    let expected = [
        ("rscc", NO_STORE),
        ("rscd", DISPOSITION),
        ("rsct", "image/png"),
        ("se", "2023-11-14T22:13:25Z"),
        ("sp", "r"),
        ("spr", "https"),
        ("sr", "b"),
        ("sv", "2023-11-03"),
    ];
    let found: Vec<_> = query
        .iter()
        .filter(|(name, _)| **name != "sig")
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(found, expected);
    assert!(!url.expose().contains('+'));
    for declined in [record().version("1"), record().volume("other"), file("a./b"), file("a...")] {
        assert!(inexpressible(&signer, declined));
    }
    for bad in ["", "secret", "AAAA", "not base64!"] {
        assert!(AzureKey::account(bad).is_err(), "{bad}");
    }
    for (account, name) in [("Acct", "scans"), ("acct", "Scans"), ("acct", "a/b"), ("a.b", "scans")] {
        assert!(AzureContainer::new(account, name).is_err());
    }
}

struct Renewed(Arc<AzureKey>);

#[async_trait]
impl AzureKeyProvider for Renewed {
    async fn key(&self) -> Result<Arc<AzureKey>, BoxError> {
        Ok(Arc::clone(&self.0))
    }
}

/// Gives its key once, then hangs.
struct Hanging(Arc<AzureKey>, std::sync::atomic::AtomicBool);

#[async_trait]
impl AzureKeyProvider for Hanging {
    async fn key(&self) -> Result<Arc<AzureKey>, BoxError> {
        if self.1.swap(true, std::sync::atomic::Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(Arc::clone(&self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn an_azure_provider_that_hangs_costs_nothing_while_its_key_is_good() {
    let ends = now() + Duration::from_secs(600);
    let key = AzureDelegationKey::new("oid-1", "tid-1", now(), ends, "2023-11-03", AZURE_KEY);
    let provider = Hanging(Arc::new(AzureKey::delegation(&key).expect("a key")), false.into());
    let container = AzureContainer::new("acct", "scans").expect("a container");
    let signer = AzureSigner::with_provider(container, provider);
    let started = tokio::time::Instant::now();
    for seconds in [0, 1, 300] {
        let at = now() + Duration::from_secs(seconds);
        assert!(signer.sign(&grant(record()), &Method::GET, FIVE, at).await.is_ok(), "{seconds}");
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    let late = signer.sign(&grant(record()), &Method::GET, FIVE, ends).await;
    assert!(matches!(late, Err(SignError::Failed(_))) && started.elapsed() <= FIVE, "{late:?}");
}

#[test]
fn no_azure_url_outlives_a_delegated_key() {
    let hour = Duration::from_secs(3600);
    for (left, lives) in [(hour, Some(5)), (Duration::from_secs(3), Some(3)), (Duration::ZERO, None)] {
        let key =
            AzureDelegationKey::new("oid-1", "tid-1", now() - hour, now() + left, "2023-11-03", AZURE_KEY);
        let key = Arc::new(AzureKey::delegation(&key).expect("a key"));
        let container = AzureContainer::new("acct", "scans").expect("a container");
        let signer = AzureSigner::with_provider(container, Renewed(key));
        match (sign(&signer, record()), lives) {
            (Ok(url), Some(seconds)) => {
                assert_eq!(url.expires_at(), now() + Duration::from_secs(seconds));
                let (_, query) = parse(&url);
                assert_eq!((query["skoid"].as_str(), query["sktid"].as_str()), ("oid-1", "tid-1"));
                assert_eq!(query["skt"], "2023-11-14T21:13:20Z");
            }
            (Err(SignError::Failed(_)), None) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
    let odd = AzureDelegationKey::new("oid\n", "tid", now(), now(), "2023-11-03", AZURE_KEY);
    assert!(AzureKey::delegation(&odd).is_err());
}

/// What CloudFront does with `-`, `_` and `~`.
fn unescaped(text: &str) -> Vec<u8> {
    Base64::decode_vec(&text.replace('-', "+").replace('_', "=").replace('~', "/")).expect("base64")
}

#[test]
fn cloudfront_signs_the_whole_url() {
    let key = |pem| CloudFrontKey::new("KEXAMPLE", pem).expect("a key");
    let at = |key| CloudFrontSigner::new("https://d1.cloudfront.net", key).expect("an address");
    for pem in [RSA, ECDSA] {
        assert!(inexpressible(&at(key(pem)), record()), "nobody said that overrides reach the bucket");
        for network in [None, Some("192.0.2.0/24")] {
            let mut signer = at(key(pem)).origin_overrides();
            if let Some(network) = network {
                signer = signer.only_from(network).expect("a network");
            }
            let url = sign(&signer, record().version("v1")).expect("signed");
            let (path, query) = parse(&url);
            assert_eq!(path, "https://d1.cloudfront.net/a%20b/%C3%BC%2B%252e.png");
            assert_eq!(query["response-cache-control"], NO_STORE);
            assert_eq!(query["response-content-disposition"], DISPOSITION);
            assert_eq!(query["response-content-type"], "image/png");
            assert_eq!((query["versionId"].as_str(), query["Hash-Algorithm"].as_str()), ("v1", "SHA256"));
            let limit = if network.is_some() { "&Policy=" } else { "&Expires=" };
            let resource = url.expose().split(limit).next().expect("a part");
            let policy = match network {
                None => {
                    assert_eq!(query["Expires"], "1700000005");
                    format!(
                        "{{\"Statement\":[{{\"Resource\":\"{resource}\",\"Condition\":{{\"DateLessThan\":\
                         {{\"AWS:EpochTime\":1700000005}}}}}}]}}"
                    )
                }
                Some(_) => {
                    let policy = String::from_utf8(unescaped(&query["Policy"])).expect("UTF-8");
                    assert!(policy.contains(&format!("\"{resource}\"")) && policy.contains("192.0.2.0/24"));
                    policy
                }
            };
            let signature = unescaped(&query["Signature"]);
            let verified = if pem == RSA {
                let pair = RsaKeyPair::from_pkcs8(&der(pem)).expect("a key");
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
                    .verify(policy.as_bytes(), &signature)
            } else {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der(pem)).expect("a key");
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref())
                    .verify(policy.as_bytes(), &signature)
            };
            assert!(verified.is_ok());
            assert!(!format!("{signer:?}").contains("KEXAMPLE"));
        }
    }
    assert!(CloudFrontKey::new("K&x=", RSA).is_err() && CloudFrontKey::new("K", "no key").is_err());
    assert_eq!(
        CloudFrontSigner::new("https://d1.example/a?b", key(RSA)).err(),
        Some(CloudFrontError::Address)
    );
    for bad in ["192.0.2.0", "192.0.2.0/33", "2001:db8::/32", "anywhere/0"] {
        assert_eq!(at(key(RSA)).only_from(bad).err(), Some(CloudFrontError::Network), "{bad}");
    }
}
