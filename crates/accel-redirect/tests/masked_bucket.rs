//! What a masked bucket tells the proxy, seen through a gate, with a signer that says what the test wants.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, Response};
use secure_download_accel_redirect::{
    BucketUpstream, BucketUpstreamError, Dialect, MaskedBucket, ProxyConfig, ProxySecret,
};
use secure_download_core::{
    AUDIT_ID, Body, Decision, Delivery, DeliveryError, DeliveryStrategy, Download, FileKey, FirstOf, Gate,
    Grant, PROXY_PROOF, RequestHead, ServedBy, SignError, SignedUrl, Terms, UrlSigner,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ORIGIN: &str = "https://scans.s3.example";
const GOOD: &str = "https://scans.s3.example/a%20b?sig=1";

/// Signs with one URL whatever it is asked, and notes for which method and how long.
#[derive(Clone)]
struct Says {
    url: Result<String, &'static str>,
    asked: Arc<Mutex<Vec<(Method, Duration)>>>,
}

impl Says {
    fn url(url: impl Into<String>) -> Self {
        Self { url: Ok(url.into()), asked: Arc::default() }
    }

    fn asked(&self) -> Vec<(Method, Duration)> {
        std::mem::take(&mut *self.asked.lock().expect("not poisoned"))
    }
}

#[async_trait]
impl UrlSigner for Says {
    fn name(&self) -> &'static str {
        "says"
    }

    async fn sign(
        &self,
        _: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        self.asked.lock().expect("not poisoned").push((method.clone(), lifetime));
        match &self.url {
            Ok(url) => Ok(SignedUrl::new(url.clone(), now + lifetime)),
            Err("cannot") => Err(SignError::Inexpressible("cannot")),
            Err(other) => Err(SignError::Failed((*other).into())),
        }
    }
}

/// Stands where a stream would.
struct Fallback;

#[async_trait]
impl DeliveryStrategy for Fallback {
    fn name(&self) -> &'static str {
        "fallback"
    }

    async fn deliver(&self, _: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        Ok(Response::new(Body::full("streamed")))
    }
}

fn bucket(dialect: Dialect, signer: &Says) -> MaskedBucket {
    let upstream = BucketUpstream::new("/_bucket", ORIGIN).expect("an upstream");
    let secret = ProxySecret::new(SECRET).expect("a secret");
    MaskedBucket::new(dialect, upstream, signer.clone(), secret).expect("a dialect that can")
}

async fn ask(strategy: MaskedBucket, terms: Terms, method: &Method, proofs: &[&str]) -> Response<Body> {
    let file = Download::new(FileKey::parse("a b").expect("a key")).content_type("image/png");
    let gate: Gate<(), Download> = Gate::builder(HashMap::from([("1".to_owned(), file)]))
        .authorizer(move |(): &(), _: &Download| Decision::AllowWith(terms))
        .strategy(FirstOf::new(strategy).or(Fallback))
        .build();
    let mut headers = HeaderMap::new();
    for proof in proofs {
        headers.append(PROXY_PROOF, HeaderValue::from_str(proof).expect("a value"));
    }
    gate.serve(&(), "1", &RequestHead::new(method, &headers)).await
}

/// Which strategy served. What was declined tells the proxy nothing.
fn served_by(response: &Response<Body>) -> &'static str {
    let name = response.extensions().get::<ServedBy>().expect("served").strategy();
    let told = ["x-accel-redirect", "x-store-path", "x-store-query", "x-accel-limit-rate"];
    if name == "fallback" {
        assert!(told.iter().all(|header| !response.headers().contains_key(*header)));
    }
    name
}

#[tokio::test]
async fn without_a_single_right_proof_nothing_is_signed() {
    for (proofs, name) in [
        (&[SECRET][..], "masked-bucket"),
        (&[], "fallback"),
        (&[""], "fallback"),
        (&[&SECRET[1..]], "fallback"),
        (&["0123456789abcdef0123456789abcdeg"], "fallback"),
        (&[SECRET, SECRET], "fallback"),
        (&["x", SECRET], "fallback"),
    ] {
        let signer = Says::url(GOOD);
        let response = ask(bucket(Dialect::Nginx, &signer), Terms::new(), &Method::GET, proofs).await;
        assert_eq!(served_by(&response), name, "{proofs:?}");
        assert_eq!(signer.asked().is_empty(), name == "fallback", "{proofs:?}");
    }
}

#[tokio::test]
async fn the_proxy_is_told_path_and_query_apart_and_no_log_is() {
    for dialect in [Dialect::Nginx, Dialect::Caddy] {
        for method in [Method::GET, Method::HEAD] {
            let signer = Says::url(GOOD);
            let response = ask(bucket(dialect, &signer), Terms::new(), &method, &[SECRET]).await;
            assert_eq!(served_by(&response), "masked-bucket");
            assert_eq!((response.status().as_u16(), response.body().remaining()), (200, 0));
            assert!(matches!(response.extensions().get::<Delivery>(), Some(Delivery::HandedOff)));
            assert_eq!(response.headers()["content-type"], "image/png");
            for (name, value) in
                [("x-accel-redirect", "/_bucket"), ("x-store-path", "/a%20b"), ("x-store-query", "sig=1")]
            {
                assert_eq!(response.headers()[name], value, "{dialect} {name}");
                assert!(response.headers()[name].is_sensitive(), "{dialect} {name}");
            }
            assert!(!response.headers().contains_key(AUDIT_ID));
            assert_eq!(
                signer.asked(),
                [(method, Duration::from_secs(30))],
                "signed for what the proxy sends"
            );
        }
    }
    let strategy = bucket(Dialect::Caddy, &Says::url(GOOD)).tell_audit_id();
    let shown = format!("{strategy:?}");
    assert!(shown.contains("says") && !shown.contains(SECRET), "{shown}");
    let response = ask(strategy, Terms::new(), &Method::GET, &[SECRET]).await;
    let id = response.extensions().get::<ServedBy>().expect("served").audit_id().to_string();
    assert_eq!(response.headers()[AUDIT_ID], id.as_str());
}

#[tokio::test]
async fn only_plain_targets_of_the_upstream_are_told() {
    let at = |target: &str| format!("{ORIGIN}{target}");
    let long = |path: usize, query: usize| at(&format!("/{}?{}", "p".repeat(path - 1), "q".repeat(query)));
    for (url, name) in [
        (GOOD.to_owned(), "masked-bucket"),
        (at("/a..b/.c/d.?x=/../"), "masked-bucket"),
        (at("/-._~!$&'()*+,;=:@%41?a=b?c/d"), "masked-bucket"),
        (at("/a//b?x"), "masked-bucket"),
        (long(4000, 8000), "masked-bucket"),
        (long(4001, 1), "fallback"),
        (long(2, 8001), "fallback"),
        // The host is the beginning of another.
        (at(".evil/a?x"), "fallback"),
        (at(":444/a?x"), "fallback"),
        (at("@evil.example/a?x"), "fallback"),
        (at("?x"), "fallback"),
        (at("/a"), "fallback"),
        ("http://scans.s3.example/a?x".to_owned(), "fallback"),
        ("https://other.s3.example/a?x".to_owned(), "fallback"),
        (String::new(), "fallback"),
        (at("/../other/a?x"), "fallback"),
        (at("/a/./b?x"), "fallback"),
        (at("/a/..?x"), "fallback"),
        (at("//evil.example/a?x"), "fallback"),
        (at("/a b?x"), "fallback"),
        (at("/a#b?x"), "fallback"),
        (at("/a\\b?x"), "fallback"),
        (at("/a\"b?x"), "fallback"),
        (at("/{a}?x"), "fallback"),
        (at("/é?x"), "fallback"),
        (at("/a?x y"), "fallback"),
        (at("/a?x#y"), "fallback"),
        (at("/a?x\r\ny"), "fallback"),
        (at("/a?{x}"), "fallback"),
    ] {
        for dialect in [Dialect::Nginx, Dialect::Caddy] {
            let strategy = bucket(dialect, &Says::url(url.clone()));
            let response = ask(strategy, Terms::new(), &Method::GET, &[SECRET]).await;
            let shown = url.get(..80).unwrap_or(&url);
            assert_eq!(served_by(&response), name, "{dialect} {shown}");
        }
    }
}

#[tokio::test]
async fn a_url_lives_as_long_as_the_terms_and_thirty_seconds_at_most() {
    for (millis, lifetime) in [
        (None, Some(30)),
        (Some(3_600_000), Some(30)),
        (Some(30_000), Some(30)),
        (Some(7_999), Some(7)),
        (Some(1_000), Some(1)),
        (Some(999), None),
        (Some(0), None),
    ] {
        let terms = millis.map_or(Terms::new(), |ms| Terms::new().expires(Duration::from_millis(ms)));
        let signer = Says::url(GOOD);
        let response = ask(bucket(Dialect::Nginx, &signer), terms, &Method::GET, &[SECRET]).await;
        let name = if lifetime.is_some() { "masked-bucket" } else { "fallback" };
        assert_eq!(served_by(&response), name, "{millis:?}");
        let asked: Vec<_> = signer.asked().into_iter().map(|(_, lifetime)| lifetime.as_secs_f64()).collect();
        assert_eq!(asked, lifetime.map(f64::from).into_iter().collect::<Vec<_>>(), "{millis:?}");
    }
}

#[tokio::test]
async fn a_rate_is_told_to_nginx_and_declined_for_caddy() {
    let slow = Terms::new().rate(NonZeroU64::new(5_000).expect("not zero"));
    for (dialect, terms, name, rate) in [
        (Dialect::Nginx, Terms::new(), "masked-bucket", None),
        (Dialect::Nginx, slow, "masked-bucket", Some("5000")),
        (Dialect::Caddy, Terms::new(), "masked-bucket", None),
        (Dialect::Caddy, slow, "fallback", None),
    ] {
        let response = ask(bucket(dialect, &Says::url(GOOD)), terms, &Method::GET, &[SECRET]).await;
        assert_eq!(served_by(&response), name, "{dialect}");
        let told = response.headers().get("x-accel-limit-rate");
        assert_eq!(told.map(|value| value.to_str().expect("ASCII")), rate, "{dialect}");
        assert!(told.is_none_or(HeaderValue::is_sensitive), "{dialect}");
    }
}

#[tokio::test]
async fn a_signer_that_cannot_is_passed_over_and_one_that_fails_is_waited_for() {
    for (error, status) in [("cannot", 200), ("no credentials", 503)] {
        let signer = Says { url: Err(error), asked: Arc::default() };
        let response = ask(bucket(Dialect::Caddy, &signer), Terms::new(), &Method::GET, &[SECRET]).await;
        assert_eq!(response.status(), status, "{error}");
        assert!(!response.headers().contains_key("x-accel-redirect"));
        let wait = response.headers().get("retry-after").map(|value| value.to_str().expect("ASCII"));
        assert_eq!(wait, (status == 503).then_some("5"), "{error}");
    }
}

#[test]
fn only_proxies_that_can_fetch_are_configured() {
    for dialect in Dialect::ALL {
        let upstream = BucketUpstream::new("/_bucket", ORIGIN).expect("an upstream");
        let secret = ProxySecret::new(SECRET).expect("a secret");
        let made = MaskedBucket::new(dialect, upstream, Says::url(GOOD), secret);
        let error = matches!(dialect, Dialect::Apache | Dialect::Lighttpd);
        assert_eq!(made.err(), error.then_some(BucketUpstreamError::Dialect), "{dialect}");
    }
    let strategy = bucket(Dialect::Nginx, &Says::url(GOOD));
    assert_eq!((strategy.upstream().location(), strategy.upstream().origin()), ("/_bucket", ORIGIN));
    assert!(strategy.guard().refuses("/_bucket/a") && !strategy.guard().refuses("/files/1"));
}

#[test]
fn name_servers_and_authorities_reach_the_configuration() {
    let secret = ProxySecret::new(SECRET).expect("a secret");
    let upstream = || BucketUpstream::new("/_bucket", ORIGIN).expect("an upstream");
    let unknown = ProxyConfig::for_bucket(Dialect::Nginx, &upstream(), &secret).err();
    assert_eq!(unknown, Some(BucketUpstreamError::Resolver));
    let told = upstream()
        .resolver("192.0.2.53:5353".parse().expect("an address"))
        .trusted("/etc/ssl/own.pem")
        .expect("a name");
    for dialect in [Dialect::Nginx, Dialect::Caddy] {
        let text = ProxyConfig::for_bucket(dialect, &told, &secret).expect("a configuration").render();
        assert!(text.contains("192.0.2.53:5353") && text.contains("/etc/ssl/own.pem"), "{text}");
    }
    for name in ["relative.pem", "/a\nb.pem", "/a/../b.pem"] {
        assert!(matches!(upstream().trusted(name), Err(BucketUpstreamError::Name(_))), "{name:?}");
    }
    // Whatever this machine lists is added to what was given.
    let also = told.system_resolvers();
    let text = ProxyConfig::for_bucket(Dialect::Nginx, &also, &secret).expect("a configuration").render();
    assert!(text.contains("192.0.2.53:5353"), "{text}");
}
