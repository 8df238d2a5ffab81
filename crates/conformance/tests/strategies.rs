//! Every strategy of the project keeps the laws.

use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use secure_download_accel_redirect::{
    AccelRedirect, BucketUpstream, Dialect, Mapping, MaskedBucket, ProxySecret, Root,
};
use secure_download_conformance::strategy::{Laws, samples};
use secure_download_core::{FirstOf, PROXY_PROOF, Router};
use secure_download_presign::{Credentials, LocalKey, LocalSigner, Presign, S3Bucket, S3Signer};
use secure_download_stream::Stream;
use tempfile::TempDir;

const PROOF: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "hush-hush-hush-hush-hush-hush-hu";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for sample in samples() {
        let path = folder.path().join(sample.key.as_str());
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, &sample.bytes).expect("written");
    }
    folder
}

/// How many descriptors of this process are open beneath the folder.
fn open_beneath(folder: &Path) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("descriptors").filter_map(Result::ok);
    let target = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    target.filter(|target| target.starts_with(folder) && target != folder).count()
}

fn accel(dialect: Dialect) -> AccelRedirect {
    let mapping = Mapping::new([Root::new("/_p/media", "/srv/media").expect("a root")]);
    AccelRedirect::new(dialect, mapping.expect("a mapping"), ProxySecret::new(PROOF).expect("a secret"))
}

fn proof() -> HeaderValue {
    HeaderValue::from_static(PROOF)
}

fn s3() -> S3Signer {
    let credentials = Credentials::new("AKIDEXAMPLE", KEY).expect("credentials");
    S3Signer::new(S3Bucket::aws("eu-central-1", "scans").expect("a bucket"), credentials)
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_local() {
    let folder = folder();
    let strategy = Stream::local(folder.path()).expect("a folder");
    let (printed, path) = (format!("{strategy:?}"), folder.path().to_owned());
    // One whose folder is gone.
    let gone = tempfile::tempdir().expect("a folder");
    let failing = Stream::local(gone.path()).expect("a folder");
    drop(gone);
    Laws::sends(strategy)
        .failing(failing)
        .held(move || open_beneath(&path))
        .secret(folder.path().to_str().expect("UTF-8"))
        .printed(printed)
        .check()
        .await;
}

#[tokio::test]
async fn stream_local_portable_on_one_thread() {
    let folder = folder();
    let path = folder.path().to_owned();
    let strategy = Stream::local_portable(folder.path()).expect("a folder");
    Laws::sends(strategy).held(move || open_beneath(&path)).check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_object_store() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for sample in samples() {
        let Ok(path) = ObjectPath::parse(&sample.key) else { continue };
        store.put(&path, sample.bytes.into()).await.expect("put");
    }
    // Nobody answers at port 1.
    let dead = object_store::aws::AmazonS3Builder::new()
        .with_endpoint("http://127.0.0.1:1")
        .with_allow_http(true)
        .with_bucket_name("b")
        .with_access_key_id("AKIDEXAMPLE")
        .with_secret_access_key(KEY)
        .with_retry(object_store::RetryConfig { max_retries: 0, ..Default::default() })
        .build()
        .expect("a client");
    Laws::sends(Stream::object_store(store))
        .cannot_hold(|key| ObjectPath::parse(key).is_err())
        .failing(Stream::object_store(Arc::new(dead)))
        .secret(KEY)
        .check()
        .await;
}

#[tokio::test]
async fn accel_redirect() {
    for dialect in Dialect::ALL {
        let strategy = accel(dialect);
        let printed = format!("{strategy:?}");
        Laws::hands_off(strategy)
            .request_field(PROXY_PROOF, proof())
            .secret(PROOF)
            .secret("/_p/media/laws")
            .secret("/srv/media/laws")
            .printed(printed)
            .check()
            .await;
        let audited = accel(dialect).tell_audit_id();
        Laws::hands_off(audited).request_field(PROXY_PROOF, proof()).check().await;
    }
}

#[tokio::test]
async fn masked_bucket() {
    for dialect in [Dialect::Nginx, Dialect::Caddy] {
        let masked = || {
            let upstream = BucketUpstream::new("/_bucket", "https://scans.s3.eu-central-1.amazonaws.com");
            let secret = ProxySecret::new(PROOF).expect("a secret");
            MaskedBucket::new(dialect, upstream.expect("an origin"), s3(), secret).expect("it can fetch")
        };
        let printed = format!("{:?}", masked());
        for strategy in [masked(), masked().tell_audit_id()] {
            Laws::hands_off(strategy)
                .request_field(PROXY_PROOF, proof())
                .secret(PROOF)
                .secret(KEY)
                .secret("X-Amz-Signature")
                .printed(&printed)
                .check()
                .await;
        }
    }
}

#[tokio::test]
async fn presign() {
    for strategy in [Presign::new(s3()), Presign::new(s3()).json()] {
        let printed = format!("{strategy:?}");
        Laws::redirects(strategy).secret(KEY).secret("X-Amz-Signature").printed(printed).check().await;
    }
    // The local route knows no volumes: the gate behind it decides, when it is asked.
    let local = LocalSigner::new("/blobs/", LocalKey::new(KEY.as_bytes()).expect("a key"));
    let broken = Laws::redirects(Presign::new(local)).verify().await.expect_err("volumes");
    let names: Vec<_> = broken.names().collect();
    assert_eq!(names, ["an unknown volume or version is never served"], "{broken}");
    Laws::redirects(Presign::new(s3()).allow_replay_of_limited_grants())
        .replays_limited_grants()
        .check()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn combined() {
    let folder = folder();
    let stream = || Stream::local(folder.path()).expect("a folder");
    // Without proof of the proxy, the second one serves.
    Laws::sends(FirstOf::new(accel(Dialect::Nginx)).or(stream())).check().await;
    let first = FirstOf::new(accel(Dialect::Nginx)).or(Stream::new());
    Laws::hands_off(first).request_field(PROXY_PROOF, proof()).check().await;
    Laws::sends(Router::otherwise(stream()).when("never", |_| false, Presign::new(s3()))).check().await;
    let router = Router::otherwise(Stream::new()).when("always", |_| true, Presign::new(s3()));
    Laws::redirects(router).check().await;
}
