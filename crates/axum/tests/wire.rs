//! What a client sees on the wire, through `axum::serve` on a loopback port.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::routing::get;
use secure_download_axum::{DownloadListener, PeerAddr, compressible, download};
use secure_download_core::{
    Concurrency, Decision, Download, Event, FileKey, Gate, Outcome, RefusalPage, signed_in,
};
use secure_download_stream::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower_http::compression::CompressionLayer;

struct User;

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.headers.contains_key("x-user").then_some(Self))
    }
}

const LARGE: usize = 16 << 20;

fn media() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("small"), "small file\n".repeat(20)).expect("write");
    std::fs::write(folder.path().join("large"), vec![7; LARGE]).expect("write");
    folder
}

fn gate(
    media: &Path,
    caps: Concurrency<Option<User>>,
    observer: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Gate<Option<User>, Download> {
    let file = |key: &str| {
        let key = FileKey::parse(key).expect("a key");
        (key.to_string(), Download::new(key).content_type("text/plain"))
    };
    Gate::builder(HashMap::from([file("small"), file("large"), file("missing")]))
        .authorizer(signed_in(|_: &User, _: &Download| Decision::Allow))
        .strategy(Stream::local(media).expect("a folder"))
        .refusals(|status| RefusalPage::html(format!("<p>{}</p>", status.as_u16())))
        .concurrency(caps)
        .observer(observer)
        .build()
}

async fn serve(app: Router, stall: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let listener = DownloadListener::new(listener).stall_timeout(stall);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn serve_gate(media: &Path) -> SocketAddr {
    let gate = gate(media, Concurrency::new(100), |_| {});
    let app = Router::new().route("/files/{id}", download::<Option<User>, _>(gate));
    serve(app, Duration::from_secs(60)).await
}

/// One answer: status line and header lines, then exactly the body that the head announces.
async fn answer(stream: &mut TcpStream, body_follows: bool) -> (String, Vec<u8>) {
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

async fn ask(stream: &mut TcpStream, method: &str, target: &str, fields: &str) {
    let request = format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
}

const SIGNED_IN: &str = "x-user: alice\r\n";

#[tokio::test]
async fn statuses_and_bodies() {
    let media = media();
    let address = serve_gate(media.path()).await;
    let small = "small file\n".repeat(20);
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for (method, target, fields, status, body) in [
        ("GET", "/files/small", SIGNED_IN, 200, small.as_str()),
        ("HEAD", "/files/small", SIGNED_IN, 200, ""),
        ("GET", "/files/small", "x-user: a\r\nrange: bytes=0-4\r\n", 206, "small"),
        ("HEAD", "/files/small", "x-user: a\r\nrange: bytes=0-4\r\n", 200, ""),
        ("GET", "/files/small", "x-user: a\r\nrange: bytes=999-\r\n", 416, ""),
        ("GET", "/files/small", "x-user: a\r\nif-none-match: *\r\n", 304, ""),
        ("GET", "/files/small", "x-user: a\r\nif-match: \"other\"\r\n", 412, ""),
        ("GET", "/files/small", "", 401, "<p>401</p>"),
        ("GET", "/files/unknown", "", 401, "<p>401</p>"),
        ("HEAD", "/files/unknown", "", 401, ""),
        ("GET", "/files/%ff", "", 401, "<p>401</p>"),
        ("GET", "/files/unknown", SIGNED_IN, 404, "<p>404</p>"),
        ("GET", "/files/missing", SIGNED_IN, 404, "<p>404</p>"),
        ("GET", "/files/%ff", SIGNED_IN, 404, "<p>404</p>"),
        ("GET", "/files/..%2f..%2fetc%2fpasswd", SIGNED_IN, 404, "<p>404</p>"),
        ("HEAD", "/files/unknown", SIGNED_IN, 404, ""),
        ("POST", "/files/small", "x-user: a\r\ncontent-length: 0\r\n", 405, "<p>405</p>"),
        ("DELETE", "/files/unknown", "", 405, "<p>405</p>"),
        ("GET", "/files/small", SIGNED_IN, 200, small.as_str()),
    ] {
        // One connection for all: a body where none belongs would be read as the next head.
        ask(&mut stream, method, target, fields).await;
        let (head, received) = answer(&mut stream, method != "HEAD" && status != 304).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{method} {target} {fields}: {head}");
        assert_eq!(String::from_utf8_lossy(&received), body, "{method} {target} {fields}");
        assert_eq!(head.contains("\r\nallow: get, head\r\n"), status == 405, "{head}");
        assert_eq!(head.contains("\r\nwww-authenticate: "), status == 401, "{head}");
        assert!(!head.contains("\r\ntransfer-encoding:"), "{head}");
    }
}

#[tokio::test]
async fn other_methods_can_have_handlers_of_their_own() {
    let media = media();
    let gate = gate(media.path(), Concurrency::new(1), |_| {});
    let route = download::<Option<User>, _>(gate).delete(|| async { "deleted" });
    let address = serve(Router::new().route("/files/{id}", route), Duration::from_secs(60)).await;
    let mut stream = TcpStream::connect(address).await.expect("connected");
    ask(&mut stream, "DELETE", "/files/small", "").await;
    assert_eq!(answer(&mut stream, true).await.1, b"deleted");
    ask(&mut stream, "PUT", "/files/small", "content-length: 0\r\n").await;
    assert!(answer(&mut stream, true).await.0.starts_with("http/1.1 405 "));
}

#[tokio::test]
async fn compression_leaves_downloads_alone() {
    let media = media();
    let gate = gate(media.path(), Concurrency::new(100), |_| {});
    let app = Router::new()
        .route("/files/{id}", download::<Option<User>, _>(gate))
        .route("/page", get(|| async { "page ".repeat(1000) }))
        .layer(CompressionLayer::new().compress_when(compressible));
    let address = serve(app, Duration::from_secs(60)).await;
    for (target, compressed) in [("/page", true), ("/files/small", false), ("/files/large", false)] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        ask(&mut stream, "GET", target, "x-user: a\r\naccept-encoding: gzip\r\n").await;
        let (head, _) = answer(&mut stream, false).await;
        assert_eq!(head.contains("content-encoding: gzip"), compressed, "{target}: {head}");
        assert_eq!(head.contains("accept-ranges: bytes"), !compressed, "{target}: {head}");
    }
}

#[tokio::test]
async fn the_peer_address_is_known() {
    let app = Router::new()
        .route("/", get(|ConnectInfo(PeerAddr(peer))| async move { SocketAddr::to_string(&peer) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = app.into_make_service_with_connect_info::<PeerAddr>();
    tokio::spawn(async move { axum::serve(DownloadListener::new(listener), service).await });
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let mine = stream.local_addr().expect("an address").to_string();
    ask(&mut stream, "GET", "/", "").await;
    assert_eq!(answer(&mut stream, true).await.1, mine.as_bytes());
}

#[tokio::test]
async fn who_stops_reading_is_cut_and_makes_room() {
    const CAP: usize = 4;
    let media = media();
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let gate = gate(media.path(), Concurrency::new(CAP), move |event| {
        if let Event::Delivered { outcome, .. } = event {
            let _ = sender.send(*outcome);
        }
    });
    let app = Router::new().route("/files/{id}", download::<Option<User>, _>(gate));
    let address = serve(app, Duration::from_millis(300)).await;

    let mut stalled = Vec::new();
    for _ in 0..CAP {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        ask(&mut stream, "GET", "/files/large", SIGNED_IN).await;
        assert!(answer(&mut stream, false).await.0.starts_with("http/1.1 200 "));
        stalled.push(stream);
    }
    let mut late = TcpStream::connect(address).await.expect("connected");
    ask(&mut late, "GET", "/files/large", SIGNED_IN).await;
    let (head, _) = answer(&mut late, true).await;
    assert!(head.starts_with("http/1.1 503 ") && head.contains("\r\nretry-after: "), "{head}");

    for _ in 0..CAP {
        match outcomes.recv().await {
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
