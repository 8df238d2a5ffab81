//! Stores that are full, and that nobody reaches.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use secure_download_links::{
    Lease, LeaseState, LinkId, LinkStore, MemoryLinkStore, MintError, NewLink, StoreError, StoredLink,
};

use super::{Text, one_time, read, site_with};

#[tokio::test]
async fn a_full_store_refuses_to_mint_and_forgets_nothing() {
    let text = Text::default();
    let site = site_with(MemoryLinkStore::new(2), text.clone(), text);
    let tokens = [site.mint(one_time()).await, site.mint(one_time()).await];
    assert!(matches!(site.links.mint(one_time()).await, Err(MintError::Store(StoreError::Full))));
    for token in tokens {
        assert!(site.redeem(&token).await.is_some());
    }
    let long = NewLink::one_time("x".repeat(1025), Duration::from_secs(60));
    assert!(matches!(site.links.mint(long).await, Err(MintError::Text)));
}

/// A store that nobody can reach.
struct Down;

fn down<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("connection refused to 10.0.0.7".into()))
}

#[async_trait]
impl LinkStore for Down {
    async fn mint(&self, _: StoredLink<'_>, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
    async fn reserve(&self, _: Lease, _: u64, _: u64) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn acquire(&self, _: Lease, _: u64) -> Result<LeaseState, StoreError> {
        down()
    }
    async fn look(&self, _: Lease, _: u64) -> Result<LeaseState, StoreError> {
        down()
    }
    async fn commit(&self, _: Lease, _: u64) -> Result<bool, StoreError> {
        down()
    }
    async fn release(&self, _: Lease) -> Result<(), StoreError> {
        down()
    }
    async fn revoke(&self, _: LinkId) -> Result<(), StoreError> {
        down()
    }
    async fn revoke_record(&self, _: &str) -> Result<(), StoreError> {
        down()
    }
}

#[tokio::test]
async fn a_store_that_is_down_lets_nobody_in() {
    let text = Text::default();
    let site = site_with(Down, text.clone(), text);
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("it was up then");
    for method in [Method::GET, Method::HEAD] {
        let response = site.ask(method, &token, &mine).await;
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
        assert!(!read(response).await.1.contains("10.0.0.7"));
    }
    assert!(site.text.limited.lock().expect("not poisoned").is_empty(), "nothing was delivered");
}
