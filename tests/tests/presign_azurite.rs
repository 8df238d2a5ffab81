//! Shared access signatures at Azurite.

use std::sync::Arc;

use secure_download::{AzureContainer, AzureKey, AzureSigner};
use system_tests::{Azurite, SignedStore};

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
