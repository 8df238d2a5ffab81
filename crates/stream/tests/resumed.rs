//! Transfers that the store ends early, and that go on with another request.
#![cfg(feature = "object_store")]

mod read_only;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Response};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, GetResultPayload, ObjectMeta, Result};
use read_only::{ReadOnly, Reads};
use secure_download_core::{Body, Decision, Download, FileKey, Gate, RequestHead};
use secure_download_stream::Stream;

/// How the store ends a transfer that has brought enough.
#[derive(Clone, Copy, Debug)]
enum End {
    /// As a connection that breaks, or a client's time limit.
    Error,
    /// As a store that closes and announced no length.
    Quiet,
    /// As a connection that is lost without a word.
    Silence,
}

/// What tells one state of the object from another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Identity {
    StrongTag,
    Version,
    WeakTag,
    Date,
}

/// One object, of which each request gets a part.
struct Store {
    object: Bytes,
    each: usize,
    end: End,
    identity: Identity,
    /// From this request on, the object is another.
    replaced_at: usize,
    /// These requests fail at once.
    fails: Range<usize>,
    requests: AtomicUsize,
    asked: Mutex<Vec<GetOptions>>,
}

impl Store {
    fn new(length: usize, each: usize, end: End) -> Self {
        Self {
            object: (0..length).map(|at| (at % 251) as u8).collect(),
            each,
            end,
            identity: Identity::StrongTag,
            replaced_at: usize::MAX,
            fails: 0..0,
            requests: AtomicUsize::new(0),
            asked: Mutex::default(),
        }
    }
}

#[async_trait]
impl Reads for Store {
    async fn read(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        self.asked.lock().expect("no panic").push(options.clone());
        if self.fails.contains(&request) {
            return Err(Error::Generic { store: "test", source: "restarting".into() });
        }
        let replaced = request >= self.replaced_at;
        let tag = if replaced { "\"new\"" } else { "\"old\"" };
        if options.if_match.as_deref().is_some_and(|wanted| wanted != tag) {
            return Err(Error::Precondition { path: path.to_string(), source: "another state".into() });
        }
        let size = self.object.len() as u64;
        let range = options.range.as_ref().map_or(0..size, |range| range.as_range(size).expect("inside"));
        let [from, to] = [range.start, range.end].map(|at| usize::try_from(at).expect("small"));
        let mut pieces: Vec<Result<Bytes>> = Vec::new();
        let until = to.min(from + self.each);
        let mut at = from;
        while at < until {
            let next = until.min(at + 16 * 1024);
            let piece = self.object.slice(at..next);
            pieces.push(Ok(if replaced { vec![b'!'; piece.len()].into() } else { piece }));
            at = next;
        }
        let pieces = futures::stream::iter(pieces);
        let payload = match self.end {
            _ if until == to => pieces.boxed(),
            End::Quiet => pieces.boxed(),
            End::Silence => pieces.chain(futures::stream::pending()).boxed(),
            End::Error => {
                let error = Error::Generic { store: "test", source: "the time is up".into() };
                pieces.chain(futures::stream::iter([Err(error)])).boxed()
            }
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta: ObjectMeta {
                location: path.clone(),
                last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
                size,
                e_tag: match self.identity {
                    Identity::StrongTag => Some(tag.to_owned()),
                    Identity::WeakTag => Some(format!("W/{tag}")),
                    Identity::Version | Identity::Date => None,
                },
                version: (self.identity == Identity::Version).then(|| tag.to_owned()),
            },
            range,
            attributes: object_store::Attributes::default(),
            extensions: http::Extensions::default(),
        })
    }
}

async fn ask(store: &Arc<ReadOnly<Store>>, range: Option<&'static str>) -> Response<Body> {
    let file = Download::new(FileKey::parse("file").expect("a key"));
    let gate = Gate::builder(HashMap::from([("file".to_owned(), file)]))
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(Stream::object_store(Arc::<ReadOnly<Store>>::clone(store)))
        .build();
    let mut headers = HeaderMap::new();
    if let Some(range) = range {
        headers.insert("range", HeaderValue::from_static(range));
    }
    gate.serve(&(), "file", &RequestHead::new(&Method::GET, &headers)).await
}

/// What came, and whether the transfer ended well.
async fn drain(response: Response<Body>) -> (Vec<u8>, bool) {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    loop {
        match std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
            Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            Some(Err(_)) => return (bytes, false),
            None => return (bytes, true),
        }
    }
}

const MIB: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn the_rest_is_asked_for_when_the_store_ends_a_transfer() {
    for end in [End::Error, End::Quiet, End::Silence] {
        for identity in [Identity::StrongTag, Identity::Version] {
            let store = Arc::new(ReadOnly(Store { identity, ..Store::new(2 * MIB, 100_000, end) }));
            let (bytes, whole) = drain(ask(&store, None).await).await;
            assert!(whole && bytes == store.0.object, "{end:?}, {identity:?}: {} bytes", bytes.len());
            assert_eq!(store.0.requests.load(Ordering::Relaxed), 21, "{end:?}, {identity:?}");
            let asked = store.0.asked.lock().expect("no panic");
            for (request, options) in asked.iter().enumerate().skip(1) {
                let range =
                    options.range.as_ref().expect("a range").as_range(2 * MIB as u64).expect("inside");
                assert_eq!(range, (request * 100_000) as u64..2 * MIB as u64);
                let pinned = (options.if_match.as_deref(), options.version.as_deref());
                let expected = match identity {
                    Identity::StrongTag => (Some("\"old\""), None),
                    _ => (None, Some("\"old\"")),
                };
                assert_eq!(pinned, expected, "request {request}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ranges_go_on_too() {
    let store = Arc::new(ReadOnly(Store::new(2 * MIB, 100_000, End::Error)));
    let (bytes, whole) = drain(ask(&store, Some("bytes=10-999999")).await).await;
    assert!(whole && bytes == store.0.object[10..=999_999]);
    let (bytes, whole) = drain(ask(&store, Some("bytes=0-299999,1000000-1299999")).await).await;
    let first = bytes.windows(300_000).any(|part| part == &store.0.object[..300_000]);
    let second = bytes.windows(300_000).any(|part| part == &store.0.object[1_000_000..1_300_000]);
    assert!(whole && first && second);
}

#[tokio::test(start_paused = true)]
async fn another_state_never_follows_the_first() {
    for identity in [Identity::StrongTag, Identity::Version, Identity::WeakTag, Identity::Date] {
        let store = Arc::new(ReadOnly(Store {
            identity,
            replaced_at: 3,
            ..Store::new(2 * MIB, 100_000, End::Error)
        }));
        let (bytes, whole) = drain(ask(&store, None).await).await;
        let certain = matches!(identity, Identity::StrongTag | Identity::Version);
        assert!(!whole, "{identity:?}");
        assert_eq!(bytes.len(), if certain { 300_000 } else { 100_000 }, "{identity:?}");
        assert!(bytes == store.0.object[..bytes.len()], "{identity:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_store_is_waited_for_and_a_dead_one_is_given_up() {
    let restarting = Arc::new(ReadOnly(Store { fails: 5..7, ..Store::new(2 * MIB, 100_000, End::Error) }));
    let (bytes, whole) = drain(ask(&restarting, None).await).await;
    assert!(whole && bytes == restarting.0.object);
    let dead = Arc::new(ReadOnly(Store { fails: 5..usize::MAX, ..Store::new(2 * MIB, 100_000, End::Error) }));
    let started = tokio::time::Instant::now();
    assert_eq!(drain(ask(&dead, None).await).await, (dead.0.object[..500_000].to_vec(), false));
    assert_eq!(dead.0.requests.load(Ordering::Relaxed), 9, "four more requests, and no more");
    assert_eq!(started.elapsed(), Duration::from_millis(7_500));
    // A few bytes for each request are no progress.
    let mean = Arc::new(ReadOnly(Store::new(2 * MIB, 1, End::Error)));
    let (bytes, whole) = drain(ask(&mean, None).await).await;
    assert_eq!((bytes.len(), whole), (4, false));
}
