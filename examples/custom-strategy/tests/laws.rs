//! The strategy keeps the laws, and a file that is replaced in mid-body ends the transfer.

use std::collections::HashMap;

use custom_strategy::SqliteBlobs;
use http::{HeaderMap, Method};
use rusqlite::Connection;
use secure_download_conformance::strategy::{Laws, samples};
use secure_download_core::{Decision, Download, FileKey, Gate, RequestHead};

fn blobs() -> SqliteBlobs {
    SqliteBlobs::new(Connection::open_in_memory().expect("a database")).expect("a table")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_laws() {
    let blobs = blobs();
    for sample in samples() {
        blobs.put(&sample.key, &sample.bytes).expect("stored");
    }
    // A database that lost its table.
    let database = Connection::open_in_memory().expect("a database");
    let failing = SqliteBlobs::new(database).expect("a table");
    failing.drop_table().expect("dropped");
    Laws::sends(blobs).failing(failing).secret("SELECT").check().await;
}

#[tokio::test]
async fn a_file_that_is_replaced_in_mid_body_ends_the_transfer() {
    let blobs = blobs();
    let key = FileKey::parse("a").expect("a key");
    blobs.put(&key, &[b'a'; 200_000]).expect("stored");
    let gate = Gate::builder(HashMap::from([("1".to_owned(), Download::new(key.clone()))]))
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(blobs.clone())
        .build();
    let head = RequestHead::new(&Method::GET, &HeaderMap::new());
    let mut body = gate.serve(&(), "1", &head).await.into_body();
    let mut next = async || std::future::poll_fn(|cx| body.poll_chunk(cx)).await;
    assert!(next().await.expect("a chunk").is_ok());
    blobs.put(&key, &[b'b'; 200_000]).expect("replaced");
    assert!(next().await.expect("an end").is_err());
}
