//! What spends a use, and what gives it back.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use http::{HeaderMap, Method, Response};
use secure_download_core::{
    Body, BoxError, Decision, Delivery, DeliveryError, DeliveryStrategy, Gate, Grant, RequestHead,
};
use secure_download_links::{CLAIM_SECONDS, LinkAuthorizer, MemoryLinkStore, NewLink};

use super::{SERVED, Scan, Text, one_time, seen, site, site_with, with};

#[tokio::test]
async fn a_one_time_link_is_good_once_and_to_be_resumed() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("the first");
    assert!(site.redeem(&token).await.is_none(), "nobody else");
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    assert_eq!(site.get(&token, &with(&mine, "range", "bytes=6-")).await, (206, "6789".to_owned()));
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED, "while the lease lasts");
    assert_eq!(site.get(&token, &HeaderMap::new()).await.0, 404, "the same URL in another browser");
    assert!(site.redeem(&token).await.is_none());
    assert!(site.text.limited.lock().expect("not poisoned").iter().all(|limited| *limited));

    site.pass(599);
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    site.pass(1);
    assert_eq!(site.get(&token, &mine).await.0, 404, "the lease has ended");
    assert!(site.redeem(&token).await.is_none(), "and its use was spent");
}

#[tokio::test]
async fn looking_head_and_prefetching_spend_nothing() {
    let site = site();
    let token = site.mint(one_time()).await;
    for _ in 0..3 {
        assert!(site.links.look(&token).is_some());
        assert_eq!(site.ask(Method::HEAD, &token, &HeaderMap::new()).await.status(), 404);
        assert_eq!(site.get(&token, &HeaderMap::new()).await.0, 404);
    }
    let mine = site.redeem(&token).await.expect("nothing was spent");
    for _ in 0..3 {
        assert_eq!(site.ask(Method::HEAD, &token, &mine).await.status(), 200);
    }
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "Prefetch"),
        ("x-moz", "prefetch"),
        ("x-purpose", "preview"),
    ] {
        assert_eq!(site.get(&token, &with(&mine, name, value)).await.0, 404, "{name}: {value}");
    }
    site.pass(600);
    let again = site.redeem(&token).await.expect("nothing was delivered, so the use is left");
    assert_eq!(seen(&site.get(&token, &again).await), SERVED);
}

/// As `curl -L` without `-b`, or a scanner that sends forms.
#[tokio::test]
async fn a_client_without_cookies_blocks_a_use_for_a_minute_and_spends_none() {
    let site = site();
    let token = site.mint(one_time()).await;
    for _ in 0..3 {
        let lost = site.redeem(&token).await.expect("a use");
        assert_eq!(site.get(&token, &HeaderMap::new()).await.0, 404, "it sends no cookie");
        site.pass(CLAIM_SECONDS - 1);
        assert!(site.redeem(&token).await.is_none(), "its client may still come");
        site.pass(1);
        let mine = site.redeem(&token).await.expect("the use is left again");
        assert_eq!(site.get(&token, &lost).await.0, 404, "another has it now");
        site.pass(CLAIM_SECONDS);
        assert!(site.redeem(&token).await.is_some());
        assert_eq!(site.get(&token, &mine).await.0, 404);
        site.pass(CLAIM_SECONDS);
    }
    let late = site.redeem(&token).await.expect("a use");
    site.pass(CLAIM_SECONDS + 10);
    assert_eq!(seen(&site.get(&token, &late).await), SERVED, "late, and nobody else came");
    assert!(site.redeem(&token).await.is_none());
}

#[tokio::test]
async fn a_use_comes_back_when_delivery_fails() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    site.text.fails.store(true, Ordering::Relaxed);
    assert_eq!(site.get(&token, &mine).await.0, 502);
    site.text.fails.store(false, Ordering::Relaxed);

    let other = site.redeem_once_given_back(&token).await;
    assert_eq!(seen(&site.get(&token, &other).await), SERVED);
    assert_eq!(site.get(&token, &mine).await.0, 404, "another was quicker");
}

#[tokio::test]
async fn its_holder_may_try_again_after_a_failure() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    for _ in 0..3 {
        site.text.fails.store(true, Ordering::Relaxed);
        assert_eq!(site.get(&token, &mine).await.0, 502);
        site.text.fails.store(false, Ordering::Relaxed);
        assert_eq!(
            site.get(&token, &with(&mine, "range", "bytes=99-")).await.0,
            416,
            "nothing was delivered"
        );
    }
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    assert!(site.redeem(&token).await.is_none());
}

#[tokio::test]
async fn a_transfer_that_was_cut_has_spent_its_use_and_may_be_resumed() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    let mut body = site.ask(Method::GET, &token, &mine).await.into_body();
    let first = std::future::poll_fn(|cx| body.poll_chunk(cx)).await.expect("a chunk").expect("bytes");
    drop(body);
    assert_eq!(first, "0");
    site.pass(300);
    assert_eq!(site.get(&token, &with(&mine, "range", "bytes=6-")).await, (206, "6789".to_owned()));
    site.pass(300);
    assert!(site.redeem(&token).await.is_none(), "a use does not come back when its lease ends");
}

#[tokio::test]
async fn counted_and_expiring_links() {
    let site = site();
    let counted = NewLink::counted("scan", NonZeroU32::new(3).expect("three"), Duration::from_secs(60));
    let token = site.mint(counted.issued_by("alice")).await;
    for _ in 0..3 {
        let mine = site.redeem(&token).await.expect("a use");
        assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    }
    assert!(site.redeem(&token).await.is_none());

    let expiring = NewLink::expiring("scan", Duration::from_secs(60)).issued_by("alice");
    let token = site.mint(expiring).await;
    site.pass(59);
    let mine = site.redeem(&token).await.expect("the last second is good");
    site.pass(1);
    assert!(site.links.look(&token).is_none(), "the page is gone");
    assert!(site.redeem(&token).await.is_none());
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED, "a lease outlasts its link");
}

#[tokio::test]
async fn a_hand_off_and_a_redirect_spend_too() {
    struct Elsewhere(Delivery);
    #[async_trait]
    impl DeliveryStrategy for Elsewhere {
        fn name(&self) -> &'static str {
            "elsewhere"
        }
        async fn deliver(&self, _: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
            let mut response = Response::new(Body::empty());
            response.extensions_mut().insert(self.0);
            Ok(response)
        }
    }
    for delivery in [Delivery::HandedOff, Delivery::Redirected] {
        let site = site_with(MemoryLinkStore::new(9), Elsewhere(delivery), Text::default());
        let token = site.mint(one_time()).await;
        let mine = site.redeem(&token).await.expect("a use");
        assert_eq!(site.get(&token, &mine).await.0, 200);
        site.pass(600);
        assert!(site.redeem(&token).await.is_none(), "spent when it left");
    }
}

#[tokio::test]
async fn a_link_for_ever_ends_with_the_year_9999() {
    let site = site();
    let token = site.mint(NewLink::expiring("scan", Duration::MAX).issued_by("alice")).await;
    let claims = site.links.look(&token).expect("good");
    assert_eq!(claims.expires_at(), UNIX_EPOCH + Duration::from_secs(253_402_300_799));
}

#[tokio::test]
async fn a_gate_that_does_not_count_uses_delivers_nothing() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("good");
    let find = |issuer: &str| {
        let user = Some(issuer.to_owned());
        async move { Ok::<_, BoxError>(user) }
    };
    let rule = |_: &String, _: &Scan| Decision::Allow;
    let forgetful = Gate::builder(HashMap::from([("scan".to_owned(), Scan { id: "scan" })]))
        .authorizer(LinkAuthorizer::new(|scan: &Scan| scan.id.into(), rule, find))
        .strategy(site.text.clone())
        .build();
    for method in [Method::GET, Method::HEAD] {
        let bearer = site.links.bearer(&token, &mine);
        let answer = forgetful.serve(&bearer, "scan", &RequestHead::new(&method, &mine)).await;
        assert_eq!(answer.status(), 500, "{method}");
    }
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
}
