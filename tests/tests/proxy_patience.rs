//! Ends for those that stall: clients whose head never comes or that take nothing, and stores that say nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use futures::future::join_all;
use secure_download::{BucketUpstream, Download, FileKey, ProxyConfig, ProxySecret};
use system_tests::{Http1, NameServer, ProxyServer, ProxySite, SECRET, serve_router};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Every limit is a minute or less.
const PATIENCE: Duration = Duration::from_secs(100);

/// The state of the server's end of a connection (Linux, `/proc/net/tcp`), which goes on when the client does not read.
fn is_established(server: SocketAddr, client: SocketAddr) -> bool {
    const ESTABLISHED: &str = "01";
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    table.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let port = |field: &str| u16::from_str_radix(field.rsplit(':').next().unwrap_or_default(), 16).ok();
        port(fields[1]) == Some(server.port())
            && port(fields[2]) == Some(client.port())
            && fields[3] == ESTABLISHED
    })
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut() {
    join_all(ProxyServer::ALL.map(async |server| {
        let site = ProxySite::behind(server).start().await;
        let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Never: ").await.expect("sent");
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{server:?} holds it");
    }))
    .await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_where_the_server_can() {
    join_all(ProxyServer::ALL.map(async |server| {
        let large = Download::new(FileKey::parse("large").expect("a key"));
        let site = ProxySite::behind(server).file("large", &vec![7; 64 << 20]);
        let site = site.catalog([("large".to_owned(), large)].into()).start().await;
        let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
        stream.write_all(b"GET /alone/large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
        let client = stream.local_addr().expect("an address");
        let mut begin = [0; 1024];
        stream.read_exact(&mut begin).await.expect("the begin");
        assert!(begin.starts_with(b"HTTP/1.1 200 "), "{server:?}");
        if server == ProxyServer::Caddy {
            // 2.6 has no such limit. What is left of it is that the newest one has.
            return;
        }
        let asked = Instant::now();
        while is_established(site.proxy(), client) {
            assert!(asked.elapsed() < PATIENCE, "{server:?} holds it");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }))
    .await;
}

/// A store that takes connections and says nothing, without TLS and before TLS begins.
#[tokio::test]
async fn a_store_that_says_nothing_is_an_error() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    let names = NameServer::start(std::net::Ipv4Addr::LOCALHOST).await;
    let hand_off =
        [("x-accel-redirect", "/_bucket"), ("x-store-path", "/key"), ("x-store-query", "signed=1")];
    let app =
        serve_router(Router::new().fallback(get(move || async move { (hand_off, "").into_response() })))
            .await;
    let secret = ProxySecret::new(SECRET).expect("a secret");
    let proxies = [ProxyServer::Nginx, ProxyServer::Caddy, ProxyServer::NewestCaddy];
    let origins = [format!("http://127.0.0.1:{port}"), format!("https://store.test:{port}")];
    let cases = proxies.into_iter().flat_map(|server| origins.clone().map(|origin| (server, origin)));
    join_all(cases.map(async |(server, origin)| {
        let folder = tempfile::tempdir().expect("a folder");
        let bucket = BucketUpstream::new("/_bucket", &origin).expect("an origin").resolver(names.address());
        let proxy = server.start(folder.path(), |listen| {
            let config = ProxyConfig::for_bucket(server.dialect(), &bucket, &secret).expect("it can fetch");
            let config = config.listen(listen).app(app).standalone(folder.path()).expect("a plain name");
            config.run_as("root").render()
        });
        let answer = Http1::connect(proxy.address()).await.ask("GET", "/file", &[]).await;
        assert!(matches!(answer.status.as_u16(), 502 | 504), "{server:?} {origin}: {}", answer.status);
    }))
    .await;
}
