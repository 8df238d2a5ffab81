//! Shared access signatures at Azurite.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Method;
use secure_download::{AzureContainer, AzureKey, AzureSigner};
use system_tests::{Azurite, SignedStore, fetch};

#[tokio::test]
async fn a_service_sas_opens_one_blob_and_nothing_else() {
    let server = Azurite::start().await;
    let (account, key, container) = server.account();
    let container = AzureContainer::at(server.endpoint(), account, container).expect("a container");
    let store = SignedStore {
        client: server.store(),
        signer: Arc::new(AzureSigner::new(container, AzureKey::account(key).expect("a key"))),
        methods_apart: false,
        declined: &["...", "..a/b.."],
    };
    store.delivers().await;
    store.refuses().await;
    store.keeps_keys_apart().await;
}

#[tokio::test]
async fn so_does_one_that_a_user_delegates() {
    let server = Azurite::with_users().await;
    let now = SystemTime::now();
    let key = server.delegated_key(now - Duration::from_secs(300), now + Duration::from_secs(3600)).await;
    let (account, _, container) = server.account();
    let container = AzureContainer::at(server.endpoint(), account, container).expect("a container");
    let store = SignedStore {
        client: server.store(),
        signer: Arc::new(AzureSigner::new(container, AzureKey::delegation(&key).expect("a key"))),
        methods_apart: false,
        declined: &["...", "..a/b.."],
    };
    store.delivers().await;
    store.refuses().await;
    let url = store.url("a/picture", Method::GET, now).await;
    for field in ["skoid=", "sktid=", "skt=", "ske=", "sks=b", "skv="] {
        assert!(url.contains(field), "{field}: {url}");
    }
    assert_eq!(fetch("GET", &url.replace("skoid=1", "skoid=2"), &[]).await.status, 403);
}
