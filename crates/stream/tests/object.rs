//! Objects of a store that a test makes up: versions, tags, errors, stalls.
#![cfg(feature = "object_store")]

mod read_only;

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue, Method, Response};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, GetResultPayload, ObjectMeta, Result};
use read_only::{ReadOnly, Reads};
use secure_download_core::{Body, Decision, Download, FileKey, Gate, RequestHead};
use secure_download_stream::Stream;
use tokio::time::Instant;

/// What the store of a test holds or does.
enum Kind {
    /// Every version of the object, the newest last. Tags are those of their versions.
    Versions(Vec<(&'static str, &'static [u8])>),
    /// As the newest version, whatever version was asked for.
    Unversioned(&'static [u8]),
    /// One state under a weak tag. `If-Match` never holds.
    WeakTag(&'static [u8]),
    Fails(fn() -> Error),
    /// Never answers.
    Silent,
    /// Answers, sends the object up to this byte, then no more.
    StallsBehind(usize),
    /// Answers, sends the object up to this byte, then an error.
    BreaksBehind(usize),
}

const LENGTH: usize = 20;

fn answer(
    options: &GetOptions,
    bytes: &'static [u8],
    tag: &str,
    version: Option<&str>,
    stream: impl FnOnce(&'static [u8]) -> BoxStream<'static, Result<Bytes>>,
) -> GetResult {
    let size = bytes.len() as u64;
    let range: Range<u64> =
        options.range.as_ref().map_or(0..size, |range| range.as_range(size).expect("inside"));
    let (start, end) =
        (usize::try_from(range.start).expect("small"), usize::try_from(range.end).expect("small"));
    GetResult {
        payload: GetResultPayload::Stream(stream(&bytes[start..end])),
        meta: ObjectMeta {
            location: Path::from("file"),
            last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
            size,
            e_tag: Some(tag.to_owned()),
            version: version.map(str::to_owned),
        },
        range,
        attributes: object_store::Attributes::default(),
        extensions: http::Extensions::default(),
    }
}

/// The first byte that is asked for.
fn start_of(options: &GetOptions) -> usize {
    let range = options.range.as_ref().map(|range| range.as_range(LENGTH as u64).expect("inside"));
    range.map_or(0, |range| usize::try_from(range.start).expect("small"))
}

fn at_once(bytes: &'static [u8]) -> BoxStream<'static, Result<Bytes>> {
    futures::stream::iter([Ok(Bytes::from_static(bytes))]).boxed()
}

#[async_trait]
impl Reads for Kind {
    async fn read(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        match self {
            Kind::Versions(versions) => {
                let newest = versions.last().map(|(version, _)| (*version).to_owned());
                let wanted = options.version.clone().or(newest);
                let found = versions.iter().find(|(version, _)| Some(*version) == wanted.as_deref());
                let Some((version, bytes)) = found else {
                    return Err(Error::NotFound { path: path.to_string(), source: "no such version".into() });
                };
                Ok(answer(
                    &options,
                    bytes,
                    &format!("\"tag of {version}\"").replace(' ', "-"),
                    Some(version),
                    at_once,
                ))
            }
            Kind::Unversioned(bytes) => Ok(answer(&options, bytes, "\"tag\"", None, at_once)),
            Kind::WeakTag(_) if options.if_match.is_some() => {
                Err(Error::Precondition { path: path.to_string(), source: "weak".into() })
            }
            Kind::WeakTag(bytes) => Ok(answer(&options, bytes, "W/\"tag\"", None, at_once)),
            Kind::Fails(error) => Err(error()),
            Kind::Silent => std::future::pending().await,
            Kind::StallsBehind(count) => {
                let before = count.saturating_sub(start_of(&options));
                let stalling = move |bytes: &'static [u8]| {
                    at_once(&bytes[..before.min(bytes.len())]).chain(futures::stream::pending()).boxed()
                };
                Ok(answer(&options, b"aaaaaaaaaaaaaaaaaaaa", "\"tag\"", None, stalling))
            }
            Kind::BreaksBehind(count) => {
                let before = count.saturating_sub(start_of(&options));
                let breaking = move |bytes: &'static [u8]| {
                    let error = Error::Generic { store: "test", source: "broken".into() };
                    at_once(&bytes[..before.min(bytes.len())])
                        .chain(futures::stream::iter([Err(error)]))
                        .boxed()
                };
                Ok(answer(&options, b"aaaaaaaaaaaaaaaaaaaa", "\"tag\"", None, breaking))
            }
        }
    }
}

type Field = Option<(&'static str, &'static str)>;

async fn ask(kind: Kind, download: &Download, field: Field) -> Response<Body> {
    ask_of(Stream::object_store(Arc::new(ReadOnly(kind))), download, field).await
}

async fn ask_of(strategy: Stream, download: &Download, field: Field) -> Response<Body> {
    let gate = Gate::builder(HashMap::from([("file".to_owned(), download.clone())]))
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(strategy)
        .build();
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = field {
        headers.insert(name, HeaderValue::from_static(value));
    }
    gate.serve(&(), "file", &RequestHead::new(&Method::GET, &headers)).await
}

fn file() -> Download {
    Download::new(FileKey::parse("file").expect("a key"))
}

/// All bytes that come, and whether the transfer ended well. One that never ends has failed the test.
async fn drain(response: Response<Body>) -> (Vec<u8>, bool) {
    tokio::time::timeout(Duration::from_secs(600), drain_all(response)).await.expect("an end")
}

async fn drain_all(response: Response<Body>) -> (Vec<u8>, bool) {
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

fn versions() -> Kind {
    Kind::Versions(vec![("v1", b"11111111112222222222"), ("v2", b"aaaaaaaaaabbbbbbbbbb")])
}

#[tokio::test]
async fn the_version_that_is_named_is_delivered() {
    let range = Some(("range", "bytes=8-11"));
    for (download, field, status, expected) in [
        (file(), None, 200, &b"aaaaaaaaaabbbbbbbbbb"[..]),
        (file(), range, 206, b"aabb"),
        (file().version("v2"), range, 206, b"aabb"),
        (file().version("v1"), None, 200, b"11111111112222222222"),
        (file().version("v1"), range, 206, b"1122"),
        (file().version("v1"), Some(("if-none-match", "\"tag-of-v1\"")), 304, b""),
        (file().version("v1"), Some(("if-none-match", "\"tag-of-v2\"")), 200, b"11111111112222222222"),
        (file().version("v0"), None, 404, b"404 Not Found\n"),
        (file().version("v0"), range, 404, b"404 Not Found\n"),
    ] {
        let case = format!("{:?} {field:?}", download.version_id());
        let response = ask(versions(), &download, field).await;
        assert_eq!(response.status(), status, "{case}");
        assert_eq!(drain(response).await, (expected.to_vec(), true), "{case}");
    }
}

#[test]
fn a_stores_credentials_are_not_printed() {
    let stream = Stream::object_store(Arc::new(ReadOnly(versions())));
    assert!(!format!("{stream:?}").contains("hunter2"));
}

#[tokio::test]
async fn each_volume_is_its_own_store() {
    let store = |bytes| Arc::new(ReadOnly(Kind::Unversioned(bytes)));
    let strategy = || Stream::object_store(store(b"one")).object_store_volume("two", store(b"two"));
    for (download, status, expected) in [
        (file(), 200, &b"one"[..]),
        (file().volume("two"), 200, b"two"),
        (file().volume("three"), 502, b"502 Bad Gateway\n"),
    ] {
        let response = ask_of(strategy(), &download, None).await;
        assert_eq!(response.status(), status);
        assert_eq!(drain(response).await, (expected.to_vec(), true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_for_objects_and_for_what_goes_wrong_with_them() {
    let file = file().rate(NonZeroU64::new(1).expect("not zero"));
    let started = Instant::now();
    let response = ask(versions(), &file, None).await;
    assert_eq!(drain(response).await, (b"aaaaaaaaaabbbbbbbbbb".to_vec(), true));
    assert!((19..=21).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    let (bytes, whole) = drain(ask(Kind::BreaksBehind(5), &file, None).await).await;
    assert_eq!((bytes.as_slice(), whole), (&b"aaaaa"[..], false));
}

#[tokio::test]
async fn a_store_without_versions_cannot_pass_for_one() {
    for field in [None, Some(("range", "bytes=0-9"))] {
        let response = ask(Kind::Unversioned(b"aaaaaaaaaabbbbbbbbbb"), &file().version("v1"), field).await;
        assert_eq!(response.status(), 502, "{field:?}");
    }
}

#[tokio::test]
async fn a_weak_tag_of_the_store_is_sent_as_it_is_and_never_asked_for() {
    for (field, status, expected) in [
        (None, 200, &b"aaaaaaaaaabbbbbbbbbb"[..]),
        (Some(("range", "bytes=8-11")), 206, b"aabb"),
        (Some(("if-none-match", "W/\"tag\"")), 304, b""),
        (Some(("if-match", "W/\"tag\"")), 412, b""),
    ] {
        let response = ask(Kind::WeakTag(b"aaaaaaaaaabbbbbbbbbb"), &file(), field).await;
        assert_eq!(response.status(), status, "{field:?}");
        if status != 412 {
            assert_eq!(response.headers()["etag"], "W/\"tag\"", "{field:?}");
        }
        assert_eq!(drain(response).await, (expected.to_vec(), true), "{field:?}");
    }
}

#[tokio::test]
async fn errors_of_the_store_and_what_the_client_is_told() {
    type Case = (fn() -> Error, u16, Option<&'static str>);
    let cases: [Case; 9] = [
        (|| Error::NotFound { path: "secret".into(), source: "secret".into() }, 404, None),
        (|| Error::PermissionDenied { path: "secret".into(), source: "secret".into() }, 502, None),
        (|| Error::Unauthenticated { path: "secret".into(), source: "secret".into() }, 502, None),
        (|| Error::NotSupported { source: "secret".into() }, 502, None),
        (|| Error::NotImplemented { operation: "secret".into(), implementer: "secret".into() }, 502, None),
        (|| Error::UnknownConfigurationKey { store: "secret", key: "secret".into() }, 502, None),
        (|| Error::Generic { store: "secret", source: "secret".into() }, 503, Some("5")),
        (|| Error::Precondition { path: "secret".into(), source: "secret".into() }, 503, Some("1")),
        (|| Error::NotModified { path: "secret".into(), source: "secret".into() }, 503, Some("5")),
    ];
    for (error, status, retry_after) in cases {
        for field in [None, Some(("range", "bytes=0-9"))] {
            let response = ask(Kind::Fails(error), &file(), field).await;
            assert_eq!(response.status(), status, "{:?}", error());
            let told =
                response.headers().get("retry-after").map(|value| value.to_str().expect("ASCII").to_owned());
            assert_eq!(told.as_deref(), retry_after, "{:?}", error());
            let text = format!("{:?}", response.headers());
            assert!(!text.contains("secret"), "{text}");
            let (body, _) = drain(response).await;
            assert!(!String::from_utf8_lossy(&body).contains("secret"));
        }
    }
}

/// The clock stands still while anything can go on, so nobody waits for real.
#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_given_up() {
    for field in [None, Some(("range", "bytes=0-9")), Some(("if-none-match", "*"))] {
        let started = Instant::now();
        let response = ask(Kind::Silent, &file(), field).await;
        assert_eq!(
            (response.status().as_u16(), started.elapsed()),
            (503, Duration::from_secs(30)),
            "{field:?}"
        );
        assert_eq!(response.headers()["retry-after"], "5");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stalls_again_and_again_ends_the_transfer() {
    for (field, length, before) in [(None, LENGTH, 10), (Some(("range", "bytes=1-15")), 15, 9)] {
        let response = ask(Kind::StallsBehind(10), &file(), field).await;
        assert_eq!(response.body().remaining(), length as u64);
        let started = Instant::now();
        assert_eq!(drain(response).await, (vec![b'a'; before], false), "{field:?}");
        // Four requests that stall, and three pauses between them.
        assert_eq!(started.elapsed().as_secs_f32(), 4.0 * 30.0 + 0.5 + 2.0 + 5.0, "{field:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_a_stall() {
    let response = ask(versions(), &file(), Some(("range", "bytes=0-1,8-11,18-19"))).await;
    let mut body = response.into_body();
    while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
        chunk.expect("no stall");
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    assert_eq!(body.remaining(), 0);
}
