//! What a client sees on the wire, whatever the adapter. The tests of every adapter include this file.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use secure_download_core::{
    Body, Concurrency, Decision, DeliveryError, DeliveryStrategy, Download, Event, FileKey, Gate, Grant,
    Outcome, Reason, RefusalPage, Representation, RequestHead, Selection, signed_in,
};
use secure_download_stream::Stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Who sends the field `X-User`. Each adapter's tests extract it their way.
pub(crate) struct User;

/// Bytes of the file `large`.
pub(crate) const LARGE: usize = 16 << 20;

const SIGNED_IN: &str = "x-user: alice\r\n";

pub(crate) fn media() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("small"), "small file\n".repeat(20)).expect("write");
    std::fs::write(folder.path().join("empty"), "").expect("write");
    std::fs::write(folder.path().join("large"), vec![7; LARGE]).expect("write");
    folder
}

pub(crate) fn gate(
    strategy: impl DeliveryStrategy + 'static,
    caps: Concurrency<Option<User>>,
    observer: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Gate<Option<User>, Download> {
    let file = |key: &str| {
        let key = FileKey::parse(key).expect("a key");
        (key.to_string(), Download::new(key).content_type("text/plain"))
    };
    Gate::builder(HashMap::from(["small", "empty", "large", "missing"].map(file)))
        .authorizer(signed_in(|_: &User, _: &Download| Decision::Allow))
        .strategy(strategy)
        .refusals(|status| RefusalPage::html(format!("<p>{}</p>", status.as_u16())))
        .concurrency(caps)
        .observer(observer)
        .build()
}

/// The gate that most tests ask.
pub(crate) fn plain_gate(media: &Path) -> Gate<Option<User>, Download> {
    gate(Stream::local(media).expect("a folder"), Concurrency::new(100), |_| {})
}

/// A gate that serves so many downloads, and what becomes of them.
pub(crate) fn capped_gate(
    media: &Path,
    cap: usize,
) -> (Gate<Option<User>, Download>, mpsc::UnboundedReceiver<Outcome>) {
    let (sender, outcomes) = mpsc::unbounded_channel();
    let strategy = Stream::local(media).expect("a folder");
    let gate = gate(strategy, Concurrency::new(cap), move |event| {
        if let Event::Delivered { outcome, .. } = event {
            let _ = sender.send(*outcome);
        }
    });
    (gate, outcomes)
}

/// Delivers bytes that are always ready.
pub(crate) struct Ready;

#[async_trait]
impl DeliveryStrategy for Ready {
    fn name(&self) -> &'static str {
        "ready"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let file = Representation { length: 8000, etag: None, last_modified: None };
        match grant.plan().select(head, &file, std::time::SystemTime::now()) {
            Selection::Answered(response) => Ok(response),
            Selection::Send(sending) => {
                let chunks = futures::stream::repeat_with(|| Ok(Bytes::from_static(&[7; 1000])));
                Ok(sending.with_body(Body::stream(8000, chunks)))
            }
        }
    }
}

/// One answer: status line and header lines, then exactly the body that the head announces.
pub(crate) async fn answer(stream: &mut (impl AsyncRead + Unpin), body_follows: bool) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    let head = String::from_utf8(head).expect("ASCII").to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; if body_follows { length } else { 0 }];
    stream.read_exact(&mut body).await.expect("a body");
    (head, body)
}

pub(crate) async fn ask(stream: &mut (impl AsyncWrite + Unpin), method: &str, target: &str, fields: &str) {
    let request = format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
}

/// Method, target, fields; status, body and the length that the head announces.
type Case = (&'static str, &'static str, &'static str, u16, &'static str, Option<&'static str>);

const SMALL: &str = "small file\nsmall file\nsmall file\nsmall file\nsmall file\nsmall file\nsmall file\n\
    small file\nsmall file\nsmall file\nsmall file\nsmall file\nsmall file\nsmall file\nsmall file\n\
    small file\nsmall file\nsmall file\nsmall file\nsmall file\n";

const CASES: &[Case] = &[
    ("GET", "/files/small", SIGNED_IN, 200, SMALL, Some("220")),
    ("HEAD", "/files/small", SIGNED_IN, 200, "", Some("220")),
    ("GET", "/files/empty", SIGNED_IN, 200, "", Some("0")),
    ("HEAD", "/files/empty", SIGNED_IN, 200, "", Some("0")),
    ("GET", "/files/small", "x-user: a\r\nrange: bytes=0-4\r\n", 206, "small", Some("5")),
    ("HEAD", "/files/small", "x-user: a\r\nrange: bytes=0-4\r\n", 200, "", Some("220")),
    ("GET", "/files/small", "x-user: a\r\nrange: bytes=999-\r\n", 416, "", Some("0")),
    ("GET", "/files/small", "x-user: a\r\nif-none-match: *\r\n", 304, "", None),
    ("HEAD", "/files/small", "x-user: a\r\nif-none-match: *\r\n", 304, "", None),
    ("GET", "/files/small", "x-user: a\r\nif-match: \"other\"\r\n", 412, "", Some("0")),
    ("GET", "/files/small", "", 401, "<p>401</p>", Some("10")),
    ("GET", "/files/unknown", "", 401, "<p>401</p>", Some("10")),
    ("HEAD", "/files/unknown", "", 401, "", Some("10")),
    ("GET", "/files/%ff", "", 401, "<p>401</p>", Some("10")),
    ("GET", "/files/unknown", SIGNED_IN, 404, "<p>404</p>", Some("10")),
    ("GET", "/files/missing", SIGNED_IN, 404, "<p>404</p>", Some("10")),
    ("GET", "/files/%ff", SIGNED_IN, 404, "<p>404</p>", Some("10")),
    ("GET", "/files/..%2f..%2fetc%2fpasswd", SIGNED_IN, 404, "<p>404</p>", Some("10")),
    ("HEAD", "/files/unknown", SIGNED_IN, 404, "", Some("10")),
    ("POST", "/files/small", "x-user: a\r\ncontent-length: 0\r\n", 405, "<p>405</p>", Some("10")),
    ("OPTIONS", "/files/small", SIGNED_IN, 405, "<p>405</p>", Some("10")),
    ("DELETE", "/files/unknown", "", 405, "<p>405</p>", Some("10")),
    ("GET", "/files/small", SIGNED_IN, 200, SMALL, Some("220")),
];

fn check(case: &Case, head: &str, received: &[u8]) {
    let (method, target, fields, status, body, length) = *case;
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{method} {target} {fields}: {head}");
    assert_eq!(String::from_utf8_lossy(received), body, "{method} {target} {fields}");
    let announced: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("content-length: ")).collect();
    assert_eq!(announced, Vec::from_iter(length), "{method} {target} {fields}: {head}");
    assert_eq!(head.contains("\r\nallow: get, head\r\n"), status == 405, "{head}");
    assert_eq!(head.contains("\r\nwww-authenticate: "), status == 401, "{head}");
    assert!(!head.contains("\r\ntransfer-encoding:"), "{head}");
}

fn has_body(case: &Case) -> bool {
    case.0 != "HEAD" && case.3 != 304
}

/// One connection for all: a body where none belongs would be read as the next head.
pub(crate) async fn check_statuses_and_bodies(address: SocketAddr) {
    check_statuses_and_bodies_over(TcpStream::connect(address).await.expect("connected")).await;
}

pub(crate) async fn check_statuses_and_bodies_over(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    for case in CASES {
        ask(&mut stream, case.0, case.1, case.2).await;
        let (head, received) = answer(&mut stream, has_body(case)).await;
        check(case, &head, &received);
    }
}

/// Requests sent at once, before any answer is read: every HEAD before everything else.
pub(crate) async fn check_pipelined_requests(address: SocketAddr) {
    let (heads, others): (Vec<Case>, Vec<Case>) = CASES.iter().partition(|case| case.0 == "HEAD");
    for cases in [[heads.clone(), others].concat(), heads] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let line = |&(method, target, fields, ..): &Case| {
            format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{fields}\r\n")
        };
        let requests: String = cases.iter().map(line).collect();
        stream.write_all(requests.as_bytes()).await.expect("sent");
        for case in &cases {
            let (head, received) = answer(&mut stream, has_body(case)).await;
            check(case, &head, &received);
        }
    }
}

/// For a gate over [`Ready`]: two writes would wait for an acknowledgement that the client delays, 40 ms on Linux.
pub(crate) async fn check_head_and_first_chunk_leave_together(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    ask(&mut stream, "GET", "/files/small", SIGNED_IN).await;
    let mut first = vec![0; 65_536];
    let count = stream.read(&mut first).await.expect("bytes");
    let head = first.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
    assert!(count >= head + 4 + 1000, "{count} bytes, {head} of them the head");
}

/// For a [`capped_gate`] behind a server with a short stall timeout.
pub(crate) async fn check_who_stops_reading_is_cut_and_makes_room(
    address: SocketAddr,
    cap: usize,
    mut outcomes: mpsc::UnboundedReceiver<Outcome>,
) {
    let mut stalled = Vec::new();
    for _ in 0..cap {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        ask(&mut stream, "GET", "/files/large", SIGNED_IN).await;
        assert!(answer(&mut stream, false).await.0.starts_with("http/1.1 200 "));
        stalled.push(stream);
    }
    let mut late = TcpStream::connect(address).await.expect("connected");
    ask(&mut late, "GET", "/files/large", SIGNED_IN).await;
    let (head, _) = answer(&mut late, true).await;
    assert!(head.starts_with("http/1.1 503 ") && head.contains("\r\nretry-after: "), "{head}");

    for _ in 0..cap {
        // Nobody waits for somebody who is never cut.
        let ended = tokio::time::timeout(Duration::from_secs(60), outcomes.recv()).await;
        match ended.expect("a reader that stopped is cut") {
            Some(Outcome::Cut { bytes }) => assert!(bytes < LARGE as u64),
            other => panic!("{other:?}"),
        }
    }
    ask(&mut late, "GET", "/files/large", SIGNED_IN).await;
    let (head, body) = answer(&mut late, true).await;
    assert!(head.starts_with("http/1.1 200 ") && body.len() == LARGE);
    assert!(matches!(outcomes.recv().await, Some(Outcome::Sent { bytes }) if bytes == LARGE as u64));

    for mut stream in stalled {
        let end = loop {
            match stream.read(&mut [0; 65_536]).await {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error.kind()),
            }
        };
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset), "a cut transfer must not look whole");
    }
}

/// A client may close its sending side once its request is sent.
pub(crate) async fn check_half_closed(address: SocketAddr) {
    for version in ["1.0", "1.1"] {
        for (target, length) in
            [("/files/small", SMALL.len()), ("/files/large", LARGE), ("/files/unknown", 10)]
        {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            let request = format!("GET {target} HTTP/{version}\r\nhost: test\r\n{SIGNED_IN}\r\n");
            stream.write_all(request.as_bytes()).await.expect("sent");
            stream.shutdown().await.expect("half closed");
            let (head, body) = answer(&mut stream, true).await;
            assert_eq!(body.len(), length, "HTTP/{version} {target}: {head}");
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.expect("closed");
            assert!(rest.is_empty(), "HTTP/{version} {target}");
        }
    }
}

/// RFC 9112 section 3.2.
pub(crate) async fn check_hosts(address: SocketAddr) {
    for (version, hosts, status) in [
        ("1.1", "host: test\r\n", 200),
        ("1.1", "host: test:8000\r\n", 200),
        ("1.1", "host:\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "host: test\r\nhost: test\r\n", 400),
        ("1.1", "host: test\r\nHost: other\r\n", 400),
        ("1.1", "host: a b\r\n", 400),
        ("1.1", "host: user@test\r\n", 400),
        ("1.0", "", 200),
        ("1.0", "host: test\r\nhost: test\r\n", 400),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("GET /files/small HTTP/{version}\r\n{hosts}{SIGNED_IN}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let (head, _) = answer(&mut stream, true).await;
        let announced = head.split(' ').nth(1).expect("a status");
        assert_eq!(announced, status.to_string(), "HTTP/{version} {hosts:?}: {head}");
        if status == 400 {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.expect("closed");
            assert!(rest.is_empty(), "HTTP/{version} {hosts:?}");
        }
    }
}

/// How many parameters the routes have that a gate refused, and how many they should have.
type Misrouted = mpsc::UnboundedReceiver<(usize, usize)>;

/// A gate, and which routes it refused: how many parameters they have, and how many they should have.
pub(crate) fn gate_with_misrouted(media: &Path) -> (Gate<Option<User>, Download>, Misrouted) {
    let (sender, misrouted) = mpsc::unbounded_channel();
    let strategy = Stream::local(media).expect("a folder");
    let gate = gate(strategy, Concurrency::new(100), move |event| {
        if let Event::Refused { reason: Reason::Route { found, expected }, .. } = event {
            let _ = sender.send((*found, *expected));
        }
    });
    (gate, misrouted)
}

/// For a [`gate_with_misrouted`] behind the routes `/files/{id}`, `/files/{id}/{name}`, and both below `/tenants/{tenant}`.
pub(crate) async fn check_routes(address: SocketAddr, mut misrouted: Misrouted) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for (target, status, wrong) in [
        ("/files/small", 200, None),
        ("/files/small/scan.png", 200, None),
        ("/files/small/share", 200, None),
        ("/files/small/caf%C3%A9%20%2f.txt", 200, None),
        ("/files/small/caf%E9.txt", 200, None),
        ("/files/unknown/scan.png", 404, None),
        ("/files/unknown/caf%E9.txt", 404, None),
        ("/files/%ff/scan.png", 404, None),
        ("/files/%73mall/caf%E9.txt", 200, None),
        ("/tenants/7/files/small", 500, Some((2, 1))),
        ("/tenants/7/files/unknown", 500, Some((2, 1))),
        ("/tenants/7/files/small/scan.png", 500, Some((3, 2))),
        ("/tenants/7/files/small/caf%E9.txt", 500, Some((3, 2))),
    ] {
        for method in ["GET", "HEAD"] {
            ask(&mut stream, method, target, SIGNED_IN).await;
            let (head, body) = answer(&mut stream, method == "GET").await;
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{method} {target}: {head}");
            if method == "GET" {
                assert_eq!(body == SMALL.as_bytes(), status == 200, "{target}");
            }
            assert_eq!(misrouted.try_recv().ok(), wrong, "{method} {target}");
        }
    }
}

/// A client that sent one request and then only a part of the next one's head is cut.
pub(crate) async fn check_second_head_has_its_time(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    ask(&mut stream, "GET", "/files/small", SIGNED_IN).await;
    answer(&mut stream, true).await;
    stream.write_all(b"GET /files/small HTTP/1.1\r\nhost: ").await.expect("sent");
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest)).await;
    ended.expect("cut in time").expect("the end");
}
