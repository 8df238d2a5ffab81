//! Signed URLs at an embedded S3 server.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::time::SystemTime;

use http::Method;
use secure_download::{Credentials, S3Bucket, S3Signer, StoreSigner};
use system_tests::{S3Server, SignedStore, fetch};

/// The store, with our own signer.
async fn store() -> (S3Server, SignedStore) {
    store_with(|signer| signer).await
}

async fn store_with(more: impl FnOnce(S3Signer) -> S3Signer) -> (S3Server, SignedStore) {
    let server = S3Server::start().await;
    let (bucket, access, secret) = server.names();
    let bucket = S3Bucket::at(&server.endpoint(), "us-east-1", bucket).expect("a bucket");
    let credentials = Credentials::new(access, secret).expect("complete");
    let store = SignedStore {
        client: server.store(),
        signer: Arc::new(more(S3Signer::new(bucket, credentials))),
        methods_apart: true,
        declined: &[],
    };
    (server, store)
}

#[tokio::test]
async fn a_fresh_url_delivers() {
    store().await.1.delivers().await;
}

#[tokio::test]
async fn anything_else_is_refused() {
    store().await.1.refuses().await;
}

#[tokio::test]
async fn every_odd_key_comes_back() {
    store().await.1.keeps_keys_apart().await;
}

#[tokio::test]
async fn a_url_that_tells_its_audit_id_delivers_too() {
    let (_server, store) = store_with(S3Signer::tell_audit_id).await;
    let url = store.url("a", Method::GET, SystemTime::now()).await;
    assert!(url.contains("&x-audit-id="), "it is told");
    store.delivers().await;
    store.refuses().await;
}

#[tokio::test]
async fn object_stores_own_signer_delivers_too() {
    let (server, mut store) = store().await;
    let (bucket, access, secret) = server.names();
    let client = object_store::aws::AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(bucket)
        .with_access_key_id(access)
        .with_secret_access_key(secret);
    store.signer = Arc::new(StoreSigner::new(Arc::new(client.build().expect("a client"))));
    store.delivers().await;
    store.keeps_keys_apart().await;
}

#[tokio::test]
async fn five_gibibytes() {
    const LENGTH: u64 = 5 << 30;
    let (server, store) = store().await;
    let mut file = std::fs::File::create(server.bucket().join("large")).expect("made");
    file.set_len(LENGTH).expect("sparse");
    file.seek(SeekFrom::Start((4 << 30) - 2)).expect("sought");
    file.write_all(b"four").expect("written");
    drop(file);
    // The server hashes the whole file for every answer, so one answer has to do.
    let url = store.url("large", Method::GET, SystemTime::now()).await;
    let answer = fetch("GET", &url, &["range: bytes=4294967294-4294967297"]).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (206, &b"four"[..]));
    assert_eq!(answer.field("content-range"), Some("bytes 4294967294-4294967297/5368709120"));
}
