//! Objects in memory, in a local folder and on S3: what is asked of the store, objects replaced meanwhile, and what a
//! client learns when the store fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig};
use secure_download::{Body, Download, FileKey, Gate, RequestHead, Stream};
use system_tests::{Answer, Http1, Request, S3Server, Watched, allow_everybody, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const KEY: &str = "scans/a b ü#?%41~[x].bin";
const SIZE: u64 = 4 << 20;

/// A store of each kind, and what keeps it alive.
struct Stores {
    memory: Arc<dyn ObjectStore>,
    disk: Arc<dyn ObjectStore>,
    s3: S3Server,
    _folder: tempfile::TempDir,
}

impl Stores {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = LocalFileSystem::new_with_prefix(folder.path()).expect("a folder");
        let stores = Self {
            memory: Arc::new(InMemory::new()),
            disk: Arc::new(disk),
            s3: S3Server::start().await,
            _folder: folder,
        };
        for (_, store) in stores.all() {
            put(&store, b'a').await;
        }
        stores
    }

    fn all(&self) -> [(&'static str, Arc<dyn ObjectStore>); 3] {
        [
            ("memory", Arc::clone(&self.memory)),
            ("local disk", Arc::clone(&self.disk)),
            ("S3", self.s3.store()),
        ]
    }
}

/// Replaces the object by another of the same length.
async fn put(store: &Arc<dyn ObjectStore>, byte: u8) {
    let bytes = vec![byte; usize::try_from(SIZE).expect("small")];
    store.put(&path(), bytes.into()).await.expect("put");
}

fn path() -> object_store::path::Path {
    object_store::path::Path::parse(KEY).expect("a path")
}

fn download() -> Download {
    Download::new(FileKey::parse(KEY).expect("a key")).content_type("text/plain")
}

fn gate(store: Arc<dyn ObjectStore>) -> Gate<(), Download> {
    gate_of(store, download())
}

fn gate_of(store: Arc<dyn ObjectStore>, download: Download) -> Gate<(), Download> {
    allow_everybody(HashMap::from([("file".to_owned(), download)]), Stream::object_store(store))
}

async fn ask(gate: &Gate<(), Download>, method: &Method, field: &str) -> Response<Body> {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = field.split_once(": ") {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    gate.serve(&(), "file", &RequestHead::new(method, &headers)).await
}

/// All bytes that come, and whether the transfer ended well.
async fn drain(body: &mut Body) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
            Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            Some(Err(_)) => return (bytes, false),
            None => return (bytes, true),
        }
    }
}

#[tokio::test]
async fn no_more_is_asked_of_the_store_than_is_needed() {
    let stores = Stores::start().await;
    for (name, store) in stores.all() {
        let watched = Arc::new(Watched::new(store));
        let gate = gate(Arc::clone(&watched) as Arc<dyn ObjectStore>);
        let tag = watched.head(&path()).await.expect("there").e_tag;
        watched.take_requests();
        let whole = Request { head: false, range: None, if_match: None, version: None };
        let head = Request { head: true, ..whole.clone() };
        let range = |first, last: u64| Request {
            range: Some(first..last + 1),
            if_match: tag.clone(),
            ..whole.clone()
        };
        let many = (0..200).map(|n| format!("{n}-{}", SIZE - n)).collect::<Vec<_>>().join(",");
        let overlapping = format!("range: bytes={many}");
        for (method, field, status, expected) in [
            (Method::GET, "", 200, vec![whole.clone()]),
            (Method::GET, "accept: text/html", 200, vec![whole.clone()]),
            (Method::HEAD, "", 200, vec![head.clone()]),
            (Method::HEAD, "range: bytes=0-9", 200, vec![head.clone()]),
            (Method::GET, "if-none-match: *", 304, vec![head.clone()]),
            (Method::GET, "if-match: \"other\"", 412, vec![head.clone()]),
            (Method::GET, "range: bytes=99999999-", 416, vec![head.clone()]),
            (Method::GET, "range: bytes=0-9", 206, vec![head.clone(), range(0, 9)]),
            (Method::GET, "range: bytes=-10", 206, vec![head.clone(), range(SIZE - 10, SIZE - 1)]),
            (Method::GET, "range: bytes=10-", 206, vec![head.clone(), range(10, SIZE - 1)]),
            (Method::GET, "range: bytes=0-9,10-19,15-30", 206, vec![head.clone(), range(0, 30)]),
            (Method::GET, "range: bytes=50-59,0-9", 206, vec![head.clone(), range(50, 59), range(0, 9)]),
            (Method::GET, &overlapping, 206, vec![head.clone(), range(0, SIZE - 1)]),
            (Method::DELETE, "", 405, vec![]),
        ] {
            let mut response = ask(&gate, &method, field).await;
            assert_eq!(response.status().as_u16(), status, "{name}: {method} {field}");
            let (bytes, well) = drain(response.body_mut()).await;
            assert!(well, "{name}: {method} {field}");
            let announced =
                response.headers().get("content-length").map(|length| length.to_str().expect("ASCII"));
            if method == Method::GET && status != 304 {
                assert_eq!(announced, Some(&*bytes.len().to_string()), "{name}: {method} {field}");
            }
            assert_eq!(watched.take_requests(), expected, "{name}: {method} {field}");
        }
    }
}

#[tokio::test]
async fn replaced_before_the_first_byte() {
    let stores = Stores::start().await;
    for (name, store) in stores.all() {
        // Behind the look at the object, before its bytes are asked for.
        let replaced = Arc::clone(&store);
        let watched = Watched::new(Arc::clone(&store)).before_each(move |number| {
            let store = Arc::clone(&replaced);
            async move {
                if number == 1 {
                    put(&store, b'b').await;
                }
            }
            .boxed()
        });
        let address = serve(gate(Arc::new(watched))).await;
        let mut client = Http1::connect(address).await;
        let answer = client.ask("GET", "/file", &["Range: bytes=0-9".to_owned()]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
        assert_eq!(answer.field("retry-after"), Some("1"), "{name}");
        assert_eq!(answer.body, b"503 Service Unavailable\n", "{name}");
        let answer = client.ask("GET", "/file", &["Range: bytes=0-9".to_owned()]).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (206, &b"bbbbbbbbbb"[..]),
            "{name}: the next attempt"
        );
    }
}

#[tokio::test]
async fn replaced_between_two_ranges() {
    let stores = Stores::start().await;
    for (name, store) in stores.all() {
        let replaced = Arc::clone(&store);
        let watched = Watched::new(Arc::clone(&store)).before_each(move |number| {
            let store = Arc::clone(&replaced);
            async move {
                if number == 2 {
                    put(&store, b'b').await;
                }
            }
            .boxed()
        });
        let gate = gate(Arc::new(watched));
        let mut response = ask(&gate, &Method::GET, "range: bytes=0-9,100-109").await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{name}");
        let announced = response.body().remaining();
        let (bytes, well) = drain(response.body_mut()).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(!well && (bytes.len() as u64) < announced, "{name}: an error, not an end");
        assert!(text.contains("aaaaaaaaaa") && !text.contains("bbb"), "{name}: {text}");
    }
}

#[tokio::test]
async fn replaced_while_it_is_sent() {
    let stores = Stores::start().await;
    for (name, store) in stores.all() {
        let gate = gate(Arc::clone(&store));
        for (field, length) in [("", SIZE), ("range: bytes=1-", SIZE - 1)] {
            put(&store, b'a').await;
            let mut response = ask(&gate, &Method::GET, field).await;
            assert!(response.status().is_success(), "{name}");
            let first = std::future::poll_fn(|cx| response.body_mut().poll_chunk(cx)).await;
            let first: Bytes = first.expect("bytes").expect("bytes");
            put(&store, b'b').await;
            let (rest, well) = drain(response.body_mut()).await;
            let all = [&first[..], &rest].concat();
            assert!(all.iter().all(|byte| *byte == b'a'), "{name}: a mixture");
            assert!(!well || all.len() as u64 == length, "{name}: {} bytes", all.len());
        }
    }
}

/// Exactly what a client may learn.
fn reveals_nothing(answer: &Answer, page: &str, retry_after: Option<&str>) {
    assert_eq!(answer.body, page.as_bytes());
    assert_eq!(answer.field("retry-after"), retry_after);
    for name in answer.headers.keys() {
        let known = [
            "cache-control",
            "cdn-cache-control",
            "content-length",
            "content-type",
            "cross-origin-resource-policy",
            "date",
            "referrer-policy",
            "retry-after",
            "x-content-type-options",
        ];
        assert!(known.contains(&name.as_str()), "{name}");
    }
}

const REQUESTS: [(&str, Option<&str>); 4] =
    [("GET", None), ("GET", Some("Range: bytes=0-9")), ("GET", Some("If-None-Match: *")), ("HEAD", None)];

async fn every_request_gets(store: Arc<dyn ObjectStore>, page: &str, retry_after: Option<&str>) {
    let address = serve(gate(store)).await;
    for (method, field) in REQUESTS {
        let fields: Vec<String> = field.into_iter().map(str::to_owned).collect();
        let answer = Http1::connect(address).await.ask(method, "/file", &fields).await;
        assert_eq!(answer.status.as_str(), &page[..3], "{method} {field:?}");
        reveals_nothing(&answer, if method == "HEAD" { "" } else { page }, retry_after);
    }
}

const NOT_FOUND: &str = "404 Not Found\n";
const UNAVAILABLE: &str = "503 Service Unavailable\n";
const BAD_GATEWAY: &str = "502 Bad Gateway\n";

#[tokio::test]
async fn an_absent_object() {
    let s3 = S3Server::start().await;
    every_request_gets(s3.store(), NOT_FOUND, None).await;
    every_request_gets(Arc::new(InMemory::new()), NOT_FOUND, None).await;
}

#[tokio::test]
async fn a_wrong_secret() {
    let s3 = S3Server::start().await;
    put(&s3.store(), b'a').await;
    every_request_gets(s3.store_with_secret("another-secret"), BAD_GATEWAY, None).await;
}

#[tokio::test]
async fn a_store_that_is_down() {
    let s3 = S3Server::start().await;
    let store = s3.store();
    drop(s3);
    every_request_gets(store, UNAVAILABLE, Some("5")).await;
}

/// An S3 client of whatever listens there, with an answer expected in a moment.
fn client_of(address: std::net::SocketAddr) -> Arc<dyn ObjectStore> {
    let options = ClientOptions::new().with_timeout(Duration::from_millis(300)).with_allow_http(true);
    let store = AmazonS3Builder::new()
        .with_endpoint(format!("http://{address}"))
        .with_client_options(options)
        .with_bucket_name("private-bucket-name")
        .with_access_key_id("access-key")
        .with_secret_access_key("secret-key")
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build();
    Arc::new(store.expect("a client"))
}

/// A store whose every answer is the same.
async fn answering(answer: &'static [u8]) -> Arc<dyn ObjectStore> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(answer).await;
                }
            });
        }
    });
    client_of(address)
}

#[tokio::test]
async fn a_store_that_stalls() {
    every_request_gets(answering(b"").await, UNAVAILABLE, Some("5")).await;
}

#[tokio::test]
async fn a_store_that_fails() {
    let failing =
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 26\r\n\r\nprivate-bucket-name broke!";
    every_request_gets(answering(failing).await, UNAVAILABLE, Some("5")).await;
    every_request_gets(answering(b"SSH-2.0-OpenSSH_9.2\r\n").await, UNAVAILABLE, Some("5")).await;
}

/// The head has left already: the transfer breaks off, and no client takes it for a whole file.
#[tokio::test]
async fn a_store_that_breaks_off() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\nETag: \"v1\"\r\n\
        Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n0123456789";
    let address = serve(gate(answering(half).await)).await;
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    stream.write_all(b"GET /file HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    let mut received = Vec::new();
    // Reset or closed: both end it.
    let _ = stream.read_to_end(&mut received).await;
    let text = String::from_utf8_lossy(&received);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("\r\ncontent-length: 20\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n0123456789"), "{text}");
}
