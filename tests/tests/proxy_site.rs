//! A rendered site as a whole: beside another one, with every form of upstream, below a path, behind another proxy. WebSocket connections,
//! event streams and downloads go through.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::StreamExt as _;
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use hyper_util::rt::TokioIo;
use secure_download::axum::download;
use secure_download::{
    AccelRedirect, AppAddress, Dialect, Download, FileKey, IpRange, Mapping, PROXY_PROOF, ProxyConfig,
    ProxySecret, Root,
};
use system_tests::{
    Http1, NameServer, ProxyServer, ProxySite, SECRET, allow_everybody, serve_router, start_sites,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixListener};

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says back what the request said, line by line.
async fn echo(request: Request) -> String {
    let mut lines = vec![format!("target: {}", request.uri())];
    let headers = request.headers();
    lines.extend(
        headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))),
    );
    lines.join("\n")
}

/// Switches to whatever protocol is asked for, and says back every byte.
async fn switch(mut request: Request) -> Response {
    let Some(protocol) = request.headers().get(UPGRADE).cloned() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgraded.await.expect("switched"));
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..length]).await.expect("sent");
        }
    });
    let headers = [(CONNECTION, "upgrade".parse().expect("a value")), (UPGRADE, protocol)];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// One event, and then nothing for as long as the client listens.
async fn events() -> Response {
    let event = futures::stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"data: now\n\n")) });
    let body = Body::from_stream(event.chain(futures::stream::pending()));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn mapping(media: &Path) -> Mapping {
    Mapping::new([Root::new("/_protected/media", media).expect("a root")]).expect("a mapping")
}

fn app(dialect: Dialect, media: &Path) -> Router {
    let secret = ProxySecret::new(SECRET).expect("a secret");
    let accel = AccelRedirect::new(dialect, mapping(media), secret);
    let catalog: HashMap<_, _> =
        [("file".to_owned(), Download::new(FileKey::parse("file").expect("a key")))].into();
    let guard = accel.guard();
    Router::new()
        .route("/file/{id}", download(allow_everybody(catalog, accel)))
        .route("/switch", get(switch))
        .route("/events", get(events))
        .fallback(echo)
        .layer(guard)
}

/// A request, and the answer up to this text.
async fn ask_until(proxy: SocketAddr, request: &str, end: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(proxy).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let text = read_until(&mut stream, end).await;
    (stream, text)
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&text).contains(end) {
            let byte = stream.read_u8().await;
            let Ok(byte) = byte else { break };
            text.push(byte);
        }
    };
    let ended = tokio::time::timeout(PATIENCE, read).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(ended.is_ok(), "{end:?} does not come: {text}");
    text
}

/// A WebSocket, an event stream, a download and a path with escapes.
async fn passes_everything(proxy: SocketAddr, host: &str, path: &str, what: &str) {
    let upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let request = format!("GET {path}/switch HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n");
    let (mut stream, head) = ask_until(proxy, &request, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{what}: {head}");
    for said in ["one ", "two "] {
        stream.write_all(said.as_bytes()).await.expect("sent");
        assert_eq!(read_until(&mut stream, said).await, said, "{what}");
    }

    let request = format!("GET {path}/events HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n");
    let (_stream, text) = ask_until(proxy, &request, "data: now").await;
    assert!(text.starts_with("HTTP/1.1 200 "), "{what}: {text}");

    let mut client = Http1::connect(proxy).await;
    let host = format!("Host: {host}");
    let file = client.ask("GET", &format!("{path}/file/file"), std::slice::from_ref(&host)).await;
    assert_eq!((file.status, &*file.body), (StatusCode::OK, &b"the file"[..]), "{what}");
    let range = [host.clone(), "Range: bytes=4-".to_owned()];
    let part = client.ask("GET", &format!("{path}/file/file"), &range).await;
    assert_eq!((part.status, &*part.body), (StatusCode::PARTIAL_CONTENT, &b"file"[..]), "{what}");

    // lighttpd reads `%2F` as a slash.
    let escaped = if what.starts_with("Lighttpd") { "/a%20b/c-d" } else { "/a%20b/c%2Fd" };
    let odd = format!("{escaped}/%C3%A9;x=1?q=%2F&r=/share/");
    let told = client.ask("GET", &format!("{path}{odd}"), std::slice::from_ref(&host)).await;
    let told = String::from_utf8(told.body).expect("UTF-8");
    assert!(told.starts_with(&format!("target: {odd}\n")), "{what}: {told}");
    let prefix = told.lines().find_map(|line| line.strip_prefix("x-forwarded-prefix: "));
    assert_eq!(prefix.unwrap_or_default(), path, "{what}: {told}");
}

/// Each server, each form of upstream: two sites on one port, told apart by name, the second below a path.
#[tokio::test]
async fn two_sites_share_a_server_and_pass_everything() {
    for server in ProxyServer::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let media = folder.path().join("media");
        fs::create_dir(&media).expect("a folder");
        fs::write(media.join("file"), b"the file").expect("written");
        let app = app(server.dialect(), &media);
        let socket = folder.path().join("app@1.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).expect("permissions");
        let served = app.clone();
        tokio::spawn(async move { axum::serve(listener, served).await });
        let port = serve_router(app).await.port();
        let upstreams = [
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            port.to_string(),
            format!("unix:{}", socket.display()),
        ];
        let (mapping, secret) = (mapping(&media), ProxySecret::new(SECRET).expect("a secret"));
        for upstream in upstreams {
            let address: AppAddress = upstream.parse().expect("an address");
            let site = |listen: SocketAddr, name: &str| {
                let site = ProxyConfig::new(server.dialect(), &mapping, &secret);
                site.listen(listen).app(address.clone()).server_name(name).expect("a name")
            };
            let proxy = start_sites(server, folder.path(), |listen| {
                let one = site(listen, "one.test").server_name("WWW.one.test").expect("a name");
                let two = site(listen, "two.test").path("/share").expect("a path");
                vec![one, two]
            });
            let what = format!("{server:?}, {upstream}");
            passes_everything(proxy.address(), "one.test", "", &what).await;
            passes_everything(proxy.address(), "www.one.test:8080", "", &what).await;
            passes_everything(proxy.address(), "two.test", "/share", &what).await;
            let mut client = Http1::connect(proxy.address()).await;
            for path in [
                "/",
                "/file/file",
                "/shared",
                "/.secure-download-root",
                "/.secure-download-elsewhere",
                "/x/share/file/file",
            ] {
                let answer = client.ask("GET", path, &["Host: two.test".to_owned()]).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{what}: {path}");
            }
            let moved = client.ask("GET", "/share", &["Host: two.test".to_owned()]).await;
            assert_eq!(moved.status, StatusCode::PERMANENT_REDIRECT, "{what}");
            assert_eq!(moved.field("location"), Some("/share/"), "{what}");
            let moved = client.ask("GET", "/share?q=%2F&r=/x?", &["Host: two.test".to_owned()]).await;
            assert_eq!(moved.field("location"), Some("/share/?q=%2F&r=/x?"), "{what}");
        }
    }
}

/// Only the protocol `websocket`: any other protocol would be a tunnel past the proxy.
#[tokio::test]
async fn no_other_protocol_is_a_tunnel() {
    for server in ProxyServer::ALL {
        let routes = Router::new().route("/switch", get(switch));
        let site = ProxySite::behind(server).routes(routes).start().await;
        for lines in [
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
            "Upgrade: h2c, websocket\r\n",
            "Upgrade: h2c\r\nUpgrade: websocket\r\n",
            "Upgrade: websocket, h2c\r\n",
            "Upgrade: xwebsocket\r\n",
            "Upgrade: TLS/1.0\r\n",
        ] {
            let request = format!(
                "GET /switch HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n{lines}\r\n"
            );
            let (mut stream, head) = ask_until(site.proxy(), &request, "\r\n\r\n").await;
            // lighttpd speaks HTTP/2 to the client itself, and asks the application over HTTP/1.
            let own = server == ProxyServer::Lighttpd && head.contains("h2c");
            assert!(own || !head.starts_with("HTTP/1.1 101 "), "{server:?} {lines:?}: {head}");
            if own {
                stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
                let mut said = [0; 9];
                stream.read_exact(&mut said).await.expect("its settings");
                assert_eq!(said[3], 4, "a frame of settings: {said:?}");
            }
        }
    }
}

/// The name of a container that comes back at another address.
#[tokio::test]
async fn nginx_follows_a_changed_address() {
    let names = NameServer::start(Ipv4Addr::LOCALHOST).await;
    let first = serve_router(Router::new().fallback(|| async { "first" })).await;
    let listener = tokio::net::TcpListener::bind((STRANGER, first.port())).await.expect("the same port");
    let second = Router::new().fallback(|| async { "second" });
    tokio::spawn(async move { axum::serve(listener, second).await });
    let folder = tempfile::tempdir().expect("a folder");
    let (mapping, secret) = (mapping(folder.path()), ProxySecret::new(SECRET).expect("a secret"));
    let app: AppAddress = format!("app.test:{}", first.port()).parse().expect("an address");
    let proxy = ProxyServer::Nginx.start(folder.path(), |listen| {
        let config = ProxyConfig::new(Dialect::Nginx, &mapping, &secret).listen(listen).app(app.clone());
        config.app_resolver(names.address()).standalone(folder.path()).expect("a plain name").render()
    });
    let ask = async || Http1::connect(proxy.address()).await.ask("GET", "/", &[]).await.body;
    assert_eq!(ask().await, b"first");
    names.change(STRANGER);
    let followed = async {
        while ask().await != b"second" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, followed).await.expect("followed");
}

/// What the application is told, of a request from this address.
async fn told(proxy: SocketAddr, from: Ipv4Addr, lines: &[&str]) -> HashMap<String, Vec<String>> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address");
    let mut stream = socket.connect(proxy).await.expect("connected");
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!("GET /echo HTTP/1.1\r\nHost: site.test\r\n{lines}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for line in text.split_once("\r\n\r\n").expect("a body").1.lines() {
        if let Some((name, value)) = line.split_once(": ") {
            told.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    assert_eq!(told[PROXY_PROOF.as_str()], [SECRET], "{text}");
    told
}

const HOP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The peer, what its request says, and what the application is told: address, scheme, host.
const VISITORS: [(Ipv4Addr, &[&str], [&str; 3]); 12] = [
    (STRANGER, &[], ["127.0.0.2", "http", "site.test"]),
    (
        STRANGER,
        &["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test"],
        ["127.0.0.2", "http", "site.test"],
    ),
    (HOP, &[], ["127.0.0.1", "http", "site.test"]),
    (
        HOP,
        &["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test"],
        ["192.0.2.7", "https", "site.test"],
    ),
    // The hop adds to what the visitor claims, in the line or as another one.
    (
        HOP,
        &["X-Forwarded-For: 10.6.6.6, 192.0.2.7", "X-Forwarded-Proto: https"],
        ["192.0.2.7", "https", "site.test"],
    ),
    (
        HOP,
        &["X-Forwarded-For: 10.6.6.6", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"],
        ["192.0.2.7", "https", "site.test"],
    ),
    (
        HOP,
        &["X-Forwarded-For: 2001:db8::7", "X-Forwarded-Proto: HTTPS"],
        ["2001:db8::7", "https", "site.test"],
    ),
    (HOP, &["X-Forwarded-For: unknown", "X-Forwarded-Proto: gopher"], ["127.0.0.1", "http", "site.test"]),
    (
        HOP,
        &["X-Forwarded-For: ", "X-Forwarded-Proto: ", "X-Forwarded-Host: "],
        ["127.0.0.1", "http", "site.test"],
    ),
    (HOP, &["Forwarded: for=192.0.2.7;proto=https;host=evil.test"], ["127.0.0.1", "http", "site.test"]),
    (HOP, &["X-Forwarded-Host: a b\"c", "X-Forwarded-For: 192.0.2.7;x"], ["127.0.0.1", "http", "site.test"]),
    // Nothing that the proxy vouches for can be named away.
    (
        HOP,
        &[
            "X-Forwarded-Proto: https",
            "X-Forwarded-For: 192.0.2.7",
            "Connection: X-Forwarded-For, X-Forwarded-Proto",
        ],
        ["", "", "site.test"],
    ),
];

#[tokio::test]
async fn only_a_trusted_hop_speaks_for_the_visitor() {
    for server in ProxyServer::ALL {
        let routes = Router::new().fallback(echo);
        let trusting = ProxySite::behind(server).routes(routes.clone()).configured(|config| {
            let range = |text: &str| text.parse::<IpRange>().expect("a range");
            config.trusted_hop(range("127.0.0.1")).trusted_hop(range("fd00::/8"))
        });
        let trusting = trusting.start().await;
        let plain = ProxySite::behind(server).routes(routes).start().await;
        let spoofed = [
            "X-Real-IP: 10.6.6.6",
            "X-Forwarded-Prefix: /x",
            "X-Forwarded-Ssl: on",
            "True-Client-IP: 10.6.6.6",
        ];
        for (peer, lines, expected) in VISITORS {
            let lines = [lines, &spoofed].concat();
            for (site, trusts) in [(&trusting, true), (&plain, false)] {
                let told = told(site.proxy(), peer, &lines).await;
                let address = peer.to_string();
                let expected = if trusts { expected } else { [&*address, "http", "site.test"] };
                for (name, expected) in ["for", "proto", "host"].into_iter().zip(expected) {
                    let said = told.get(&format!("x-forwarded-{name}")).cloned().unwrap_or_default();
                    // What a hop has removed itself by `Connection` (RFC 9110 section 7.6.1) is one of two.
                    let own = [&*address, "192.0.2.7", "http", "https"];
                    // lighttpd adds its peer to what a hop says that speaks for a TLS client.
                    let behind = said.first().and_then(|list| list.strip_suffix(&format!(", {HOP}")));
                    let last = behind.and_then(|list| list.rsplit(", ").next());
                    let right = match expected {
                        "" if behind.is_some() => last == Some("192.0.2.7"),
                        "" => said.len() == 1 && own.contains(&said[0].as_str()),
                        expected if server == ProxyServer::Lighttpd && behind.is_some() && name == "for" => {
                            trusts && peer == HOP && (last == Some(expected) || expected == "127.0.0.1")
                        }
                        expected => said == [expected],
                    };
                    assert!(
                        right,
                        "{server:?} {peer} {lines:?} trusted {trusts}: {name} is {said:?}, not {expected}"
                    );
                }
                for gone in
                    ["forwarded", "x-real-ip", "x-forwarded-prefix", "x-forwarded-ssl", "true-client-ip"]
                {
                    assert_eq!(told.get(gone), None, "{server:?} {gone}");
                }
            }
        }
    }
}
