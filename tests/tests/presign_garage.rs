//! Signed URLs at Garage, whose program the variable `GARAGE` names. Runs by name only: see `CONTRIBUTING.md`.

use std::sync::Arc;

use secure_download::{Credentials, S3Bucket, S3Signer};
use system_tests::{Garage, SignedStore};

#[tokio::test]
async fn garage() {
    let server = Garage::start();
    let (bucket, access, secret) = server.names();
    let bucket = S3Bucket::at(server.endpoint(), "garage", bucket).expect("a bucket");
    let credentials = Credentials::new(access, secret).expect("complete");
    let store = SignedStore {
        client: server.store(),
        signer: Arc::new(S3Signer::new(bucket, credentials)),
        methods_apart: true,
        declined: &[],
    };
    store.delivers().await;
    store.refuses().await;
    store.keeps_keys_apart().await;
}
