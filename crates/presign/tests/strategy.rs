//! What [`Presign`] answers, over a signer that only writes down what it is asked.

mod support;

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{Method, Response};
use secure_download_core::{
    Availability, Body, BoxError, Decision, Delivery, Download, ETag, Gate, Grant, RequestHead, Reservation,
    SignError, SignedUrl, Terms, UrlSigner, UsageLimit, Use,
};
use secure_download_presign::Presign;
use support::{block_on, file, gate, head, now};

const URL: &str = "https://store.example/bucket/a?X-Amz-Signature=c0ffee";

/// Answers what it was given, and notes method and lifetime.
#[derive(Clone)]
struct Fake {
    answer: fn() -> Result<&'static str, SignError>,
    asked: Arc<Mutex<Vec<(Method, Duration)>>>,
}

impl Fake {
    fn new(answer: fn() -> Result<&'static str, SignError>) -> Self {
        Self { answer, asked: Arc::default() }
    }

    fn good() -> Self {
        Self::new(|| Ok(URL))
    }

    fn asked(&self) -> Vec<(Method, Duration)> {
        std::mem::take(&mut *self.asked.lock().expect("not poisoned"))
    }
}

#[async_trait]
impl UrlSigner for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn sign(
        &self,
        _: &Grant,
        method: &Method,
        lifetime: Duration,
        signed_at: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        assert!(signed_at.elapsed().expect("not in the future") < Duration::from_secs(60));
        self.asked.lock().expect("not poisoned").push((method.clone(), lifetime));
        (self.answer)().map(|url| SignedUrl::new(url.to_owned(), now()))
    }
}

fn serve(strategy: Presign, record: Download, terms: Terms, head: &RequestHead) -> Response<Body> {
    let gate = gate(record, terms, strategy);
    block_on(async { gate.serve(&(), "known", head).await })
}

fn text(response: &Response<Body>, name: &str) -> String {
    let mut values = response.headers().get_all(name).iter();
    let value = values.next().map(|value| value.to_str().expect("ASCII").to_owned());
    assert!(values.next().is_none(), "{name} stands twice");
    value.unwrap_or_default()
}

fn body(response: Response<Body>) -> Vec<u8> {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(chunk) = block_on(std::future::poll_fn(|cx| body.poll_chunk(cx))) {
        bytes.extend_from_slice(&chunk.expect("whole"));
    }
    bytes
}

#[test]
fn get_and_head_are_redirected_each_with_its_own_signature() {
    for method in [Method::GET, Method::HEAD] {
        let signer = Fake::good();
        let response = serve(
            Presign::new(signer.clone()),
            file("a"),
            Terms::new(),
            &head(&method, &[("range", "bytes=0-1")]),
        );
        assert_eq!(response.status(), 302);
        assert_eq!(text(&response, "location"), URL);
        assert!(response.headers()["location"].is_sensitive());
        assert!(!format!("{response:?}").contains("c0ffee"));
        assert_eq!(text(&response, "cache-control"), "private, no-store");
        assert_eq!(text(&response, "cdn-cache-control"), "no-store");
        assert_eq!(text(&response, "referrer-policy"), "no-referrer");
        assert_eq!(text(&response, "x-content-type-options"), "nosniff");
        assert_eq!(text(&response, "cross-origin-resource-policy"), "same-origin");
        assert_eq!(text(&response, "vary"), "");
        assert_eq!(response.extensions().get(), Some(&Delivery::Redirected));
        assert_eq!(signer.asked(), [(method, Duration::from_secs(5))]);
        assert!(body(response).is_empty());
    }
}

#[test]
fn the_strictest_lifetime_wins_and_seconds_are_whole() {
    let seconds = Duration::from_secs;
    let expires = |after| Terms::new().expires(after);
    let presign = |signer: &Fake| Presign::new(signer.clone());
    type Case = (fn(Presign) -> Presign, Option<Duration>, Terms, Duration);
    let cases: [Case; 12] = [
        (|p| p, None, Terms::new(), seconds(5)),
        (|p| p.expires(Duration::from_secs(60)), None, Terms::new(), seconds(60)),
        (|p| p.expires(Duration::from_secs(60)), None, expires(seconds(7)), seconds(7)),
        (|p| p, None, expires(seconds(60)), seconds(60)),
        (|p| p, Some(seconds(9)), expires(seconds(60)), seconds(9)),
        (|p| p, Some(seconds(60)), expires(seconds(9)), seconds(9)),
        (|p| p, None, expires(seconds(1_000_000)), seconds(300)),
        (|p| p.max_expires(Duration::from_secs(3600)), None, expires(seconds(1_000_000)), seconds(3600)),
        (|p| p, None, expires(Duration::from_millis(2_999)), seconds(2)),
        (|p| p.expires(Duration::from_secs(7200)), None, Terms::new(), seconds(7200)),
        (|p| p.expires(Duration::from_secs(7200)), None, expires(seconds(1_000_000)), seconds(7200)),
        (
            |p| p.expires(Duration::from_secs(7200)).max_expires(Duration::from_secs(30)),
            None,
            Terms::new(),
            seconds(30),
        ),
    ];
    for (set, of_file, terms, expected) in cases {
        let signer = Fake::good();
        let record = of_file.map_or(file("a"), |after| file("a").expires(after));
        let response = serve(set(presign(&signer)), record, terms, &head(&Method::GET, &[]));
        assert_eq!(response.status(), 302);
        assert_eq!(signer.asked(), [(Method::GET, expected)]);
    }
}

#[test]
fn the_file_decides_how_long_its_url_lives_unless_a_lifetime_is_named() {
    let (mib, hour) = (1024 * 1024, 3600);
    let song = || file("a").content_type("audio/wav").length(60 * mib).inline();
    let scan = || file("a").content_type("application/pdf");
    for (record, expected) in [
        (file("a"), 5),
        (file("a").length(0), 5),
        (file("a").length(mib), 5),
        (file("a").length(mib + 1), 60 + 8),
        (file("a").length(60_000_044), 60 + 457),
        (file("a").length(1 << 40), hour),
        (file("a").length(u64::MAX), hour),
        (song(), hour),
        (song().attachment(), 60 + 480),
        (file("a").content_type("image/png").inline(), hour),
        // The policy of the gate shows neither of these.
        (scan().inline(), 5),
        (file("a").content_type("text/html").inline(), 5),
    ] {
        for (method, named, most, asked, expected) in [
            (Method::GET, None, None, None, expected),
            (Method::HEAD, None, None, None, expected),
            (Method::GET, Some(2), None, None, 2),
            (Method::GET, Some(hour * 2), None, None, hour * 2),
            (Method::GET, None, Some(4), None, 4),
            (Method::GET, None, None, Some(3), 3),
            (Method::GET, Some(9), Some(8), Some(7), 7),
        ] {
            let signer = Fake::good();
            let mut presign = Presign::new(signer.clone());
            presign = named.map_or(presign.clone(), |seconds| presign.expires(Duration::from_secs(seconds)));
            presign =
                most.map_or(presign.clone(), |seconds| presign.max_expires(Duration::from_secs(seconds)));
            let terms =
                asked.map_or(Terms::new(), |seconds| Terms::new().expires(Duration::from_secs(seconds)));
            let response = serve(presign, record.clone(), terms, &head(&method, &[]));
            assert_eq!(response.status(), 302);
            assert_eq!(signer.asked(), [(method, Duration::from_secs(expected))], "{record:?}");
        }
    }
}

#[test]
fn a_limited_use_never_gets_a_longer_url() {
    for record in [file("a").length(1 << 30), file("a").content_type("audio/wav").inline()] {
        let signer = Fake::good();
        let presign = Presign::new(signer.clone()).allow_replay_of_limited_grants();
        let presign = presign.stable_for(Duration::from_secs(60));
        let gate = Gate::builder(std::collections::HashMap::from([("known".to_owned(), record)]))
            .authorizer(|(): &(), _: &Download| Decision::Allow)
            .strategy(presign)
            .usage_limit(TwoUses)
            .build();
        let response = block_on(async { gate.serve(&(), "known", &head(&Method::GET, &[])).await });
        assert_eq!(text(&response, "cache-control"), "private, no-store");
        assert_eq!(signer.asked(), [(Method::GET, Duration::from_secs(5))]);
    }
}

#[test]
fn what_a_url_cannot_keep_is_declined() {
    let slow = Terms::new().rate(NonZeroU64::MIN);
    let short = Terms::new().expires(Duration::from_millis(999));
    for terms in [slow, short] {
        let signer = Fake::good();
        let response = serve(Presign::new(signer.clone()), file("a"), terms, &head(&Method::GET, &[]));
        assert_eq!(response.status(), 502, "nobody else is there to serve it");
        assert_eq!(signer.asked(), []);
    }
    for (answer, status) in [
        ((|| Err(SignError::Inexpressible("the key"))) as fn() -> _, 502),
        (|| Err(SignError::Failed("no credential".into())), 503),
        (|| Ok("https://a.example/\r\nset-cookie: a"), 500),
        (|| Ok("https://a.example/ a"), 500),
        (|| Ok("https://a.example/ä"), 500),
        (|| Ok(""), 500),
    ] {
        let response =
            serve(Presign::new(Fake::new(answer)), file("a"), Terms::new(), &head(&Method::GET, &[]));
        assert_eq!(response.status(), status);
        assert_eq!(text(&response, "location"), "");
    }
}

struct TwoUses;

struct Taken;

#[async_trait]
impl Reservation for Taken {
    async fn commit(self: Box<Self>) -> Result<(), BoxError> {
        Ok(())
    }

    fn release(self: Box<Self>) {}
}

#[async_trait]
impl UsageLimit<(), Download> for TwoUses {
    async fn reserve(&self, (): &(), _: &Download) -> Result<Use, BoxError> {
        Ok(Use::Reserved(Box::new(Taken)))
    }

    async fn look(&self, (): &(), _: &Download) -> Result<Availability, BoxError> {
        Ok(Availability::Limited)
    }
}

#[test]
fn a_limited_grant_is_signed_only_where_the_app_says_so_loudly() {
    for method in [Method::GET, Method::HEAD] {
        for (allowed, status) in [(false, 502), (true, 302)] {
            let mut presign = Presign::new(Fake::good());
            if allowed {
                presign = presign.allow_replay_of_limited_grants();
            }
            let gate = Gate::builder(std::collections::HashMap::from([("known".to_owned(), file("a"))]))
                .authorizer(|(): &(), _: &Download| Decision::Allow)
                .strategy(presign)
                .usage_limit(TwoUses)
                .build();
            let response = block_on(async { gate.serve(&(), "known", &head(&method, &[])).await });
            assert_eq!(response.status(), status, "{method}");
        }
    }
}

#[test]
fn only_a_client_that_holds_the_records_own_validators_gets_304() {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let tagged = || file("a").etag(ETag::strong("v1").expect("a tag"));
    let dated = || file("a").last_modified(modified);
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    for (record, fields, status) in [
        (tagged(), &[("if-none-match", "\"v1\"")][..], 304),
        (tagged(), &[("if-none-match", "\"v0\", W/\"v1\"")], 304),
        (tagged(), &[("if-none-match", "\"v0\"")], 302),
        (tagged(), &[("if-none-match", "*")], 302),
        (tagged(), &[("if-none-match", "\"v1\""), ("if-none-match", "*")], 302),
        (tagged(), &[("if-match", "\"v0\"")], 302),
        (tagged(), &[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")], 302),
        (tagged(), &[("if-modified-since", SAME)], 302),
        (file("a"), &[("if-none-match", "\"v1\"")], 302),
        (file("a"), &[("if-modified-since", LATER)], 302),
        (dated(), &[("if-modified-since", SAME)], 304),
        (dated(), &[("if-modified-since", LATER)], 302),
        (dated(), &[("if-modified-since", SAME), ("if-modified-since", SAME)], 302),
        (dated(), &[("if-unmodified-since", SAME), ("if-modified-since", SAME)], 302),
        (dated(), &[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], 302),
        (dated(), &[("if-none-match", "\"v1\""), ("if-modified-since", SAME)], 302),
    ] {
        let signer = Fake::good();
        let response = serve(Presign::new(signer.clone()), record, Terms::new(), &head(&Method::GET, fields));
        assert_eq!(response.status(), status, "{fields:?}");
        assert_eq!(signer.asked().len(), usize::from(status == 302), "{fields:?}");
        assert_eq!(text(&response, "location").is_empty(), status == 304);
    }
}

#[test]
fn json_is_sent_to_clients_that_ask_if_the_app_switched_it_on() {
    let asks = head(&Method::GET, &[("accept", "application/json")]);
    let off = serve(Presign::new(Fake::good()), file("a"), Terms::new(), &asks);
    assert_eq!(off.status(), 302);

    let presign = || Presign::new(Fake::good()).json();
    let navigates = head(&Method::GET, &[("accept", "text/html,*/*;q=0.8")]);
    let redirected = serve(presign(), file("a"), Terms::new(), &navigates);
    assert_eq!((redirected.status().as_u16(), text(&redirected, "vary")), (302, "Accept".to_owned()));

    let response = serve(presign(), file("a"), Terms::new(), &asks);
    assert_eq!(response.status(), 200);
    assert_eq!(text(&response, "content-type"), "application/json");
    assert_eq!(text(&response, "cache-control"), "private, no-store");
    assert_eq!(text(&response, "referrer-policy"), "no-referrer");
    assert_eq!(text(&response, "x-content-type-options"), "nosniff");
    assert_eq!(text(&response, "vary"), "Accept");
    assert_eq!(response.extensions().get(), Some(&Delivery::Redirected));
    assert!(!format!("{response:?}").contains("c0ffee"));
    let expected = format!("{{\"url\":\"{URL}\",\"expires_at\":\"2023-11-14T22:13:20Z\"}}");
    assert_eq!(String::from_utf8(body(response)).expect("UTF-8"), expected);
}
