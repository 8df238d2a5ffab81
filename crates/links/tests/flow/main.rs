//! A link on its way through a gate: minted, looked at, redeemed, downloaded, resumed, refused.

mod page;
mod refusals;
mod stores;
mod uses;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use secure_download_core::{
    Body, BoxError, Decision, DeliveryError, DeliveryStrategy, Download, FileKey, Gate, Grant, Parts, Record,
    Representation, RequestHead, Selection,
};
use secure_download_links::{
    LinkAuthorizer, LinkBearer, LinkKey, LinkSigner, LinkStore, Links, MemoryLinkStore, NewLink,
};

const START: u64 = 1_800_000_000;
const TEXT: &str = "0123456789";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

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
    LinkKey::new(id, SECRET).expect("a key")
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
