//! The memory store keeps the laws.
#![cfg(feature = "links")]

use std::sync::Arc;

use secure_download_links::MemoryLinkStore;

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    secure_download_conformance::link_store::check(Arc::new(MemoryLinkStore::new(1000))).await;
}
