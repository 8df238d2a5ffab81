//! A link on its way through a gate: minted, looked at, redeemed, downloaded, resumed, refused.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use secure_download_core::{
    Authorizer, Body, BoxError, Decision, Delivery, DeliveryError, DeliveryStrategy, Denial, Download,
    FileKey, Gate, Grant, Parts, Record, Representation, RequestHead, Selection, Terms,
};
use secure_download_links::{
    Lease, LeaseState, LinkAuthorizer, LinkBearer, LinkId, LinkKey, LinkSigner, LinkStore, Links,
    MemoryLinkStore, MintError, NewLink, StoreError, StoredLink, redeem_page,
};

const START: u64 = 1_800_000_000;
const TEXT: &str = "0123456789";

#[derive(Clone)]
struct Scan {
    id: &'static str,
}

impl Record for Scan {
    fn download(&self) -> Download {
        Download::new(FileKey::parse(self.id).expect("a key"))
    }
}

/// Sends ten bytes, or fails if it is told to.
#[derive(Clone, Default)]
struct Text {
    fails: Arc<AtomicBool>,
    limited: Arc<Mutex<Vec<bool>>>,
}

#[async_trait]
impl DeliveryStrategy for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        self.limited.lock().expect("not poisoned").push(grant.is_limited());
        if self.fails.load(Ordering::Relaxed) {
            return Err(DeliveryError::BadGateway("storage is out of order".into()));
        }
        let file = Representation { length: TEXT.len() as u64, etag: None, last_modified: None };
        Ok(match grant.plan().select(head, &file, UNIX_EPOCH) {
            Selection::Answered(response) => response,
            Selection::Send(sending) => {
                let Parts::One(range) = sending.parts() else { panic!("one range at most") };
                let position = |at: u64| usize::try_from(at).expect("small");
                let piece = &TEXT[position(range.start)..position(range.end)];
                let chunks = piece.split_inclusive(|_| true).map(|byte| Ok(byte.into()));
                let length = range.end - range.start;
                sending.with_body(Body::stream(length, futures::stream::iter(chunks.collect::<Vec<_>>())))
            }
        })
    }
}

/// Everything around one store, with a clock to turn.
struct Site {
    links: Links,
    gate: Gate<Option<LinkBearer>, Scan>,
    clock: Arc<AtomicU64>,
    text: Text,
    alice_may: Arc<AtomicBool>,
}

fn key(id: u32) -> LinkKey {
    LinkKey::new(id, [7; 32]).expect("long enough")
}

fn site_with(store: impl LinkStore + 'static, text: impl DeliveryStrategy + 'static, fakes: Text) -> Site {
    let clock = Arc::new(AtomicU64::new(START));
    let links = Links::new(LinkSigner::new("a", &key(1)), store).lease(Duration::from_secs(600)).clock({
        let clock = Arc::clone(&clock);
        move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed))
    });
    let alice_may = Arc::new(AtomicBool::new(true));
    let rule = {
        let alice_may = Arc::clone(&alice_may);
        move |user: &String, scan: &Scan| {
            Decision::allow_if(user == "alice" && scan.id == "scan" && alice_may.load(Ordering::Relaxed))
        }
    };
    let find = |issuer: &str| {
        let user = Some(issuer.to_owned()).filter(|name| name != "deleted");
        async move { Ok::<_, BoxError>(user) }
    };
    let scans = HashMap::from(["scan", "other"].map(|id| (id.to_owned(), Scan { id })));
    let gate = Gate::builder(scans)
        .authorizer(LinkAuthorizer::new(|scan: &Scan| scan.id.into(), rule, find))
        .strategy(text)
        .usage_limit(links.clone())
        .build();
    Site { links, gate, clock, text: fakes, alice_may }
}

fn site() -> Site {
    let text = Text::default();
    site_with(MemoryLinkStore::new(100), text.clone(), text)
}

fn one_time() -> NewLink {
    NewLink::one_time("scan", Duration::from_secs(3600)).issued_by("alice")
}

impl Site {
    async fn mint(&self, link: NewLink) -> String {
        self.links.mint(link).await.expect("minted")
    }

    /// What a browser sends after it pressed the button, or `None` if it was refused.
    async fn redeem(&self, token: &str) -> Option<HeaderMap> {
        let redeemed = self.links.redeem(token).await.expect("the store answers")?;
        let response = redeemed.into_response(&format!("/d/{token}/file"), false);
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()[SET_COOKIE].to_str().expect("ASCII");
        let pair = cookie.split(';').next().expect("a pair");
        Some(fields(&[("cookie", pair)]))
    }

    async fn ask(&self, method: Method, token: &str, headers: &HeaderMap) -> Response<Body> {
        let bearer = self.links.bearer(token, headers);
        let record = self.links.look(token).map_or("scan".to_owned(), |claims| claims.record().to_owned());
        self.gate.serve(&bearer, &record, &RequestHead::new(&method, headers)).await
    }

    async fn get(&self, token: &str, headers: &HeaderMap) -> (u16, String) {
        read(self.ask(Method::GET, token, headers).await).await
    }

    fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Waits until what was given back has arrived.
    async fn redeem_once_given_back(&self, token: &str) -> HeaderMap {
        for _ in 0..10_000 {
            if let Some(headers) = self.redeem(token).await {
                return headers;
            }
            tokio::task::yield_now().await;
        }
        panic!("the use never came back");
    }
}

async fn read(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
        text.extend_from_slice(&chunk.expect("bytes"));
    }
    (status, String::from_utf8(text).expect("text"))
}

fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")));
    pairs.collect()
}

fn with(headers: &HeaderMap, name: &'static str, value: &'static str) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert(name, HeaderValue::from_static(value));
    headers
}

const SERVED: (u16, &str) = (200, TEXT);

fn seen(answer: &(u16, String)) -> (u16, &str) {
    (answer.0, &answer.1)
}

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
async fn a_link_is_worth_no_more_than_its_issuer() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    site.alice_may.store(false, Ordering::Relaxed);
    assert_eq!(site.get(&token, &mine).await.0, 404);
    site.alice_may.store(true, Ordering::Relaxed);
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);

    for (issuer, record) in [("bob", "scan"), ("deleted", "scan"), ("", "scan"), ("alice", "other")] {
        let token = site.mint(NewLink::one_time(record, Duration::from_secs(60)).issued_by(issuer)).await;
        let mine = site.redeem(&token).await.expect("a use");
        assert_eq!(site.get(&token, &mine).await.0, 404, "{issuer}: {record}");
    }
}

#[tokio::test]
async fn whoever_is_not_admitted_has_no_good_links_either() {
    struct Suspended;
    #[async_trait]
    impl Authorizer<String, Scan> for Suspended {
        async fn admits(&self, user: &String) -> Result<Decision, BoxError> {
            let slow = Terms::new().rate(NonZeroU64::new(1_000).expect("not zero")).attachment();
            Ok(if user == "suspended" {
                Decision::Deny(Denial::Forbidden)
            } else {
                Decision::AllowWith(slow)
            })
        }
        async fn authorize(&self, _: &String, _: &Scan) -> Result<Decision, BoxError> {
            Ok(Decision::AllowWith(Terms::new().inline()))
        }
    }
    let site = site();
    let find = |issuer: &str| {
        let user = issuer.to_owned();
        async move { Ok::<_, BoxError>(Some(user)) }
    };
    let authorizer = LinkAuthorizer::new(|scan: &Scan| scan.id.into(), Suspended, find);
    for (issuer, expected) in [
        ("suspended", Decision::Deny(Denial::Hidden)),
        (
            "alice",
            Decision::AllowWith(Terms::new().rate(NonZeroU64::new(1_000).expect("not zero")).attachment()),
        ),
    ] {
        let token = site.mint(NewLink::one_time("scan", Duration::from_secs(60)).issued_by(issuer)).await;
        let bearer = site.links.bearer(&token, &site.redeem(&token).await.expect("a use"));
        let decision = authorizer.authorize(&bearer, &Scan { id: "scan" }).await.expect("decided");
        assert_eq!(decision, expected, "{issuer}");
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
async fn a_lease_opens_its_own_link_and_record_only() {
    let site = site();
    let (first, second) = (site.mint(one_time()).await, site.mint(one_time()).await);
    let mine = site.redeem(&first).await.expect("a use");
    assert_eq!(site.get(&second, &mine).await.0, 404, "another link of the same record");
    let bearer = site.links.bearer(&first, &mine);
    assert!(bearer.is_some());
    let head = RequestHead::new(&Method::GET, &HeaderMap::new());
    assert_eq!(site.gate.serve(&bearer, "other", &head).await.status(), 404, "whatever id the app passes");
    assert_eq!(site.gate.serve(&bearer, "scan", &head).await.status(), 200);

    let both = format!("a=b; secure-download-lease=junk; {}; z", mine[COOKIE].to_str().expect("ASCII"));
    assert!(site.links.bearer(&first, &fields(&[("cookie", &both)])).is_some(), "among other cookies");
    for cookie in ["", "secure-download-lease", "secure-download-lease=", "secure-download-leasex=a"] {
        assert!(site.links.bearer(&first, &fields(&[("cookie", cookie)])).is_none(), "{cookie}");
    }
    let own_token = format!("secure-download-lease={first}");
    assert!(site.links.bearer(&first, &fields(&[("cookie", &own_token)])).is_none(), "a link is no lease");
}

#[tokio::test]
async fn foreign_and_changed_tokens_are_refused_alike() {
    let site = site();
    let token = site.mint(one_time()).await;
    let foreign = [
        Links::new(LinkSigner::new("b", &key(1)), MemoryLinkStore::new(9)),
        Links::new(LinkSigner::new("a", &key(2)), MemoryLinkStore::new(9)),
        Links::new(LinkSigner::new("a", &LinkKey::new(1, [8; 32]).expect("long")), MemoryLinkStore::new(9)),
        // Signed with our key, unknown to our store.
        Links::new(LinkSigner::new("a", &key(1)), MemoryLinkStore::new(9)),
    ];
    let mut tokens = vec![format!("{token}A"), token[1..].to_owned(), token.to_lowercase(), String::new()];
    for links in &foreign {
        tokens.push(links.mint(one_time()).await.expect("minted"));
    }
    for wrong in tokens {
        assert!(site.redeem(&wrong).await.is_none(), "{wrong}");
        assert_eq!(site.get(&wrong, &HeaderMap::new()).await.0, 404);
    }
    let rotated = Links::new(LinkSigner::new("a", &key(2)).also_verify(&key(1)), MemoryLinkStore::new(9));
    assert!(rotated.clock(|| UNIX_EPOCH + Duration::from_secs(START)).look(&token).is_some());
}

#[tokio::test]
async fn revoked_links_are_refused_at_once() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    site.links.revoke(site.links.look(&token).expect("good").id()).await.expect("revoked");
    assert_eq!(site.get(&token, &mine).await.0, 404);
    assert_eq!(site.ask(Method::HEAD, &token, &mine).await.status(), 404);

    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    site.links.revoke_record("scan").await.expect("revoked");
    assert_eq!(site.get(&token, &mine).await.0, 404, "even one that was spent");
}

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
async fn the_answer_to_the_button_goes_to_one_path_and_hides_its_secrets() {
    let site = site();
    for (path, secure, good) in [
        ("/d/x/file", false, true),
        ("/d/x/file", true, true),
        ("//evil.example/", true, false),
        ("https://evil.example/", true, false),
        ("/d/x; Domain=evil.example", true, false),
        ("/d/x\r\nX: y", true, false),
        ("/d/ä", true, false),
    ] {
        let token = site.mint(one_time()).await;
        let redeemed = site.links.redeem(&token).await.expect("answers").expect("a use");
        assert!(!format!("{redeemed:?}").contains("lease:"));
        let response = redeemed.into_response(path, secure);
        if !good {
            assert_eq!(response.status(), 500, "{path}");
            assert!(response.headers().get(SET_COOKIE).is_none());
            continue;
        }
        assert_eq!(
            (response.status(), &response.headers()[LOCATION]),
            (StatusCode::SEE_OTHER, &path.parse::<HeaderValue>().expect("ASCII"))
        );
        let cookie = &response.headers()[SET_COOKIE];
        assert!(cookie.is_sensitive() && response.headers()[LOCATION].is_sensitive());
        let cookie = cookie.to_str().expect("ASCII");
        for attribute in ["; Path=/d/x/file", "; Max-Age=600", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure);
    }
}

#[tokio::test]
async fn the_page_has_one_button_and_no_secret() {
    let page = redeem_page();
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["x-robots-tag"], "noindex, nofollow");
    let (status, markup) = read(page).await;
    assert_eq!(status, 200);
    assert!(markup.contains("<form method=\"post\">") && !markup.contains("src="), "{markup}");
}
