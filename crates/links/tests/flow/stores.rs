//! Stores that are full, and that nobody reaches.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use http::Method;
use secure_download_links::{
    CLAIM_SECONDS, Lease, LeaseState, LinkId, LinkStore, MemoryLinkStore, MintError, NewLink,
    RETURNED_LEASES, StoreError, StoredLink,
};

use super::{SERVED, Text, one_time, read, seen, site_with, with};

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

/// A store whose next answers to `mint`, `reserve` and `acquire` are lost: the connection fails, or is silent.
struct Deaf {
    inner: MemoryLinkStore,
    lost: AtomicUsize,
    silent: AtomicBool,
    minted: Mutex<Vec<LinkId>>,
}

impl Deaf {
    fn new(lost: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryLinkStore::new(100),
            lost: lost.into(),
            silent: false.into(),
            minted: Mutex::default(),
        })
    }

    async fn heard<T>(&self, answer: T) -> Result<T, StoreError> {
        let lost = self.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if lost.is_ok() && self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if lost.is_ok() { down() } else { Ok(answer) }
    }
}

#[async_trait]
impl LinkStore for Deaf {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError> {
        self.minted.lock().expect("not poisoned").push(link.id);
        self.inner.mint(link, now).await?;
        self.heard(()).await
    }
    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        let taken = self.inner.reserve(lease, ends, now).await?;
        self.heard(taken).await
    }
    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let state = self.inner.acquire(lease, now).await?;
        self.heard(state).await
    }
    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        self.inner.look(lease, now).await
    }
    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        self.inner.commit(lease, now).await
    }
    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await
    }
    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        self.inner.revoke(link).await
    }
    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        self.inner.revoke_record(record).await
    }
}

#[tokio::test]
async fn a_use_whose_answer_was_lost_comes_back_at_once() {
    let store = Deaf::new(0);
    let text = Text::default();
    let site = site_with(Arc::clone(&store), text.clone(), text);
    let token = site.mint(one_time()).await;
    store.lost.store(1, Ordering::Relaxed);
    assert!(site.links.redeem(&token).await.is_err());
    let mine = site.redeem_once_given_back(&token).await;
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    assert!(site.redeem(&token).await.is_none(), "it was given back once");
}

/// The answer to the request for the file is lost, and the client gives up.
#[tokio::test]
async fn a_download_whose_answer_was_lost_gives_its_use_back() {
    let store = Deaf::new(0);
    let text = Text::default();
    let site = site_with(Arc::clone(&store), text.clone(), text);
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    store.lost.store(1, Ordering::Relaxed);
    assert_eq!(site.get(&token, &mine).await.0, 503);
    let other = site.redeem_once_given_back(&token).await;
    assert_eq!(site.get(&token, &mine).await.0, 404, "another was quicker");

    // A download that has begun keeps its use, whatever becomes of a request beside it.
    assert_eq!(seen(&site.get(&token, &other).await), SERVED);
    store.lost.store(1, Ordering::Relaxed);
    assert_eq!(site.get(&token, &other).await.0, 503);
    for _ in 0..100 {
        assert!(site.redeem(&token).await.is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(seen(&site.get(&token, &other).await), SERVED);
}

/// A client closes its connection while the store is asked.
#[tokio::test]
async fn a_request_that_ends_while_the_store_is_asked_gives_its_use_back() {
    let store = Deaf::new(0);
    store.silent.store(true, Ordering::Relaxed);
    let text = Text::default();
    let site = site_with(Arc::clone(&store), text.clone(), text);
    let token = site.mint(one_time()).await;
    store.lost.store(1, Ordering::Relaxed);
    assert!(site.redeem(&token).now_or_never().is_none(), "it waits");
    let mine = site.redeem_once_given_back(&token).await;
    store.lost.store(1, Ordering::Relaxed);
    assert!(site.get(&token, &mine).now_or_never().is_none(), "it waits");
    let other = site.redeem_once_given_back(&token).await;
    assert_eq!(seen(&site.get(&token, &other).await), SERVED);
}

#[tokio::test]
async fn a_link_whose_answer_was_lost_is_offered_once_more_under_another_name() {
    let store = Deaf::new(1);
    let text = Text::default();
    let site = site_with(Arc::clone(&store), text.clone(), text);
    let token = site.mint(one_time()).await;
    let minted = store.minted.lock().expect("not poisoned").clone();
    assert_eq!(minted.len(), 2);
    assert_ne!(minted[0], minted[1], "a late first request must not make a revoked link anew");
    assert_eq!(site.links.look(&token).expect("good").id(), minted[1]);
    store.lost.store(2, Ordering::Relaxed);
    assert!(matches!(site.links.mint(one_time()).await, Err(MintError::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn an_issuer_at_its_limit_leaves_room_for_others() {
    let text = Text::default();
    let mut site = site_with(MemoryLinkStore::new(100), text.clone(), text);
    site.links = site.links.clone().links_per_issuer(2);
    for _ in 0..2 {
        site.mint(one_time()).await;
    }
    let refused = site.links.mint(one_time()).await;
    assert!(matches!(refused, Err(MintError::Store(StoreError::IssuerLimit))), "{refused:?}");
    site.mint(one_time().issued_by("bob")).await;
    site.pass(3600);
    site.mint(one_time()).await;
}

/// A user makes short links and redeems each at once, so that it outlives its expiry.
#[tokio::test]
async fn redeemed_links_count_until_they_are_forgotten() {
    for uses in [NewLink::one_time, NewLink::expiring] {
        let text = Text::default();
        let mut site = site_with(MemoryLinkStore::new(100), text.clone(), text);
        site.links = site.links.clone().links_per_issuer(3);
        for _ in 0..3 {
            let token = site.mint(uses("scan", Duration::from_secs(1)).issued_by("alice")).await;
            assert!(site.redeem(&token).await.is_some());
            site.pass(1);
        }
        let refused = site.links.mint(one_time()).await;
        assert!(matches!(refused, Err(MintError::Store(StoreError::IssuerLimit))), "{refused:?}");
        site.pass(597);
        site.mint(one_time()).await;
        assert!(site.links.mint(one_time()).await.is_err(), "two leases have not ended");
    }
}

/// Very many leases of one link end at once, and very many links are revoked. Other requests come between.
#[tokio::test]
async fn no_step_keeps_other_links_waiting() {
    const MANY: u16 = 5000;
    let store = MemoryLinkStore::new(10_000);
    let id = |number: u16| LinkId::from_bytes((u128::from(number) + 1).to_be_bytes());
    let (link, now) = (id(0), 1000);
    let lease = |number| Lease { link, lease: id(number) };
    store.mint(StoredLink::new(link, "record", Some(u32::from(MANY)), 9000), now).await.expect("minted");
    for number in 0..MANY {
        assert!(store.reserve(lease(number), 5000, now).await.expect("answers"));
    }
    let late = now + CLAIM_SECONDS;
    assert!(store.reserve(lease(MANY), 5000, late).await.expect("answers"), "uses came back");
    assert!(store.leases() > usize::from(MANY) - 500, "one step settled all: {} are left", store.leases());
    assert!(store.commit(lease(MANY), late).await.expect("answers"));
    let mut number = MANY + 1;
    while store.reserve(lease(number), 5000, late).await.expect("answers") {
        assert!(store.commit(lease(number), late).await.expect("answers"));
        number += 1;
    }
    // All have spent their uses, and end at once.
    let mut steps = 0;
    let mut reserve = store.reserve(lease(0), 6000, 5000);
    while reserve.as_mut().now_or_never().is_none() {
        steps += 1;
    }
    assert!(steps >= usize::from(MANY) / 500, "{steps}");

    for number in 1..=MANY {
        store.mint(StoredLink::new(id(number), "record", Some(1), 9000), now).await.expect("minted");
    }
    let mut steps = 0;
    let mut revoke = store.revoke_record("record");
    while revoke.as_mut().now_or_never().is_none() {
        steps += 1;
    }
    assert!(steps >= usize::from(MANY) / 500, "{steps}");
    for number in 0..=MANY {
        let lease = Lease { link: id(number), lease: link };
        assert!(!store.reserve(lease, 6000, now).await.expect("answers"), "revoked");
    }
}

/// The holder of one link redeems it again and again, and lets each use come back.
#[tokio::test]
async fn a_link_cannot_fill_its_store() {
    let store = Arc::new(MemoryLinkStore::new(100));
    let text = Text::default();
    let site = site_with(Arc::clone(&store), text.clone(), text);
    let unlimited = site.mint(NewLink::expiring("scan", Duration::from_secs(3600)).issued_by("alice")).await;
    for _ in 0..1000 {
        assert!(site.redeem(&unlimited).await.is_some());
    }
    assert_eq!(store.leases(), 0, "the signed cookie is the lease");
    let mine = site.redeem(&unlimited).await.expect("as often as one likes");
    assert_eq!(seen(&site.get(&unlimited, &mine).await), SERVED);

    let token = site.mint(one_time()).await;
    for _ in 0..1000 {
        let mine = site.redeem_once_given_back(&token).await;
        assert_eq!(site.get(&token, &with(&mine, "if-none-match", "*")).await.0, 304);
    }
    assert!(store.leases() <= RETURNED_LEASES + 1, "{}", store.leases());
    // The same lease, asked again and again, is one.
    let mine = site.redeem_once_given_back(&token).await;
    let before = store.leases();
    for _ in 0..100 {
        assert_eq!(site.get(&token, &with(&mine, "if-none-match", "*")).await.0, 304);
    }
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    assert!(store.leases() <= before);
}
