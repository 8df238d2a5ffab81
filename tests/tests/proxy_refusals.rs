//! What no proxy sends: files that were denied, that are missing, that lie outside, that nobody handed off.

use std::collections::HashMap;
use std::os::unix::fs::symlink;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::StatusCode;
use http_body_util::BodyExt as _;
use secure_download::{AccelRedirect, Dialect, Download, FileKey, Mapping, PROXY_PROOF, ProxySecret, Root};
use system_tests::{Http1, ProxyServer, ProxySite, SECRET};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A server that says nothing for so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(30);

fn catalog() -> HashMap<String, Download> {
    let download = |key| Download::new(FileKey::parse(key).expect("a key")).filename(key);
    ["file", "denied", "missing", "folder", "folder/inner", "link-out", "link-folder/outside"]
        .map(|key| (key.replace('/', "-"), download(key)))
        .into()
}

async fn site(server: ProxyServer, routes: Router) -> ProxySite {
    let site = ProxySite::behind(server).catalog(catalog()).routes(routes);
    let site = site.file("file", b"the file").file("denied", b"denied").file("folder/inner", b"inner");
    let site = site.start().await;
    symlink("../outside", site.media().join("link-out")).expect("a link");
    symlink("..", site.media().join("link-folder")).expect("a link");
    site
}

#[tokio::test]
async fn a_refusal_or_a_missing_file_carries_no_file() {
    for server in ProxyServer::ALL {
        let site = site(server, Router::new()).await;
        assert_eq!(site.get("/accel/folder-inner").await.body, b"inner", "{server:?}");
        for (id, status) in [
            ("denied", StatusCode::FORBIDDEN),
            ("unknown", StatusCode::NOT_FOUND),
            ("missing", StatusCode::NOT_FOUND),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = site.ask(method, &format!("/alone/{id}"), &[]).await;
                assert_eq!(answer.status, status, "{server:?} {method} {id}");
            }
        }
        let folder = site.get("/alone/folder").await;
        assert!(folder.status.is_client_error(), "{server:?}: {}", folder.status);
        assert!(!folder.headers.contains_key("location"), "{server:?} shows where the folder is");
    }
}

#[tokio::test]
async fn symbolic_links_out_of_the_folder() {
    for server in ProxyServer::ALL {
        let site = site(server, Router::new()).await;
        for id in ["link-out", "link-folder-outside"] {
            let answer = site.get(&format!("/alone/{id}")).await;
            // Caddy and Apache have no switch for it. If this fails for them, they have one now: tell so.
            let follows = matches!(server.dialect(), Dialect::Caddy | Dialect::Apache);
            assert_eq!(answer.body == b"outside", follows, "{server:?} {id}");
        }
    }
}

#[tokio::test]
async fn nothing_is_there_for_whoever_asks_directly() {
    for server in ProxyServer::ALL {
        let site = site(server, Router::new()).await;
        for path in [
            "/_protected/media/file",
            "/_protected/media/../media/file",
            "/%5fprotected/media/file",
            "//_protected/media/file",
            "/_protected//media/file",
            "/_protected/media",
            "/_protected/media/",
            "/_protected/media-evil/file",
            "/_protected/media../outside",
            "/media/file",
            "/file",
        ] {
            let answer = site.get(path).await;
            assert!(!answer.status.is_success(), "{server:?} {path}: {}", answer.status);
            for body in [&b"the file"[..], b"outside"] {
                assert_ne!(answer.body, body, "{server:?} {path}");
            }
        }
    }
}

/// The strategy never names such a target; the proxy must not depend on that.
#[tokio::test]
async fn a_target_outside_the_folder_fails() {
    for server in ProxyServer::ALL {
        let targets = |site: &ProxySite| -> Vec<String> {
            let media = site.media().to_str().expect("UTF-8").to_owned();
            match server.dialect() {
                Dialect::Nginx | Dialect::Caddy => [
                    "/_protected/media/../outside",
                    "/_protected/media/%2e%2e/outside",
                    "/_protected/media%2f..%2foutside",
                    "/_protected/media/..%2foutside",
                    "/_protected/media/%2e%2e%2foutside",
                    "/_protected/media../outside",
                    "/_protected/media-evil/file",
                    "/_protected/file",
                    "/etc/hostname",
                ]
                .map(str::to_owned)
                .into(),
                Dialect::Apache | Dialect::Lighttpd => vec![
                    format!("{media}/../outside"),
                    format!("{media}/%2e%2e/outside"),
                    format!("{media}%2f..%2foutside"),
                    format!("{media}-evil/file"),
                    format!("{media}/../media-evil/file"),
                    "/etc/hostname".to_owned(),
                    "outside".to_owned(),
                    "../outside".to_owned(),
                ],
            }
        };
        let header = server.dialect().header();
        let hand_off = get(move |headers: HeaderMap| async move {
            ([(header, headers["target"].clone())], "").into_response()
        });
        let site = site(server, Router::new().route("/raw", hand_off)).await;
        let hostname = std::fs::read("/etc/hostname").expect("a name");
        for target in targets(&site) {
            let answer = site.ask("GET", "/raw", &[&format!("Target: {target}")]).await;
            for body in [b"outside", &*hostname] {
                assert_ne!(answer.body, body, "{server:?} {target}");
            }
            assert!(!answer.status.is_success() || answer.body.is_empty(), "{server:?} {target}");
        }
    }
}

#[tokio::test]
async fn without_the_proxy_there_is_no_hand_off() {
    for server in ProxyServer::ALL {
        let site = site(server, Router::new()).await;
        let wrong = format!("{PROXY_PROOF}: {}", "f".repeat(32));
        let right = format!("{PROXY_PROOF}: {SECRET}");
        for fields in [vec![], vec![wrong.clone()], vec![right.clone(), right.clone()], vec![right, wrong]] {
            let mut direct = Http1::connect(site.app()).await;
            let streamed = direct.ask("GET", "/accel/file", &fields).await;
            assert_eq!((streamed.status, &*streamed.body), (StatusCode::OK, &b"the file"[..]), "{fields:?}");
            let refused = direct.ask("GET", "/alone/file", &fields).await;
            assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{fields:?}");
            for answer in [streamed, refused] {
                for name in ["x-accel-redirect", "x-sendfile"] {
                    assert!(!answer.headers.contains_key(name), "{server:?} {fields:?}");
                }
            }
        }
    }
}

/// A status that a layer changed after the hand-off: nothing of the file, nothing about it.
#[tokio::test]
async fn another_status_hands_nothing_off() {
    const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
    for server in ProxyServer::ALL {
        let header = server.dialect().header();
        let answer_with = |status: StatusCode| {
            let name = header.clone();
            get(move |headers: HeaderMap| async move {
                (status, [(name, headers["target"].clone())], "").into_response()
            })
        };
        let root = Root::new("/_unused", "/unused").expect("a root");
        let mapping = Mapping::new([root]).expect("a mapping");
        let secret = ProxySecret::new(SECRET).expect("a secret");
        let guard = AccelRedirect::new(server.dialect(), mapping, secret).guard();
        let routes = Router::new()
            .route("/guarded", answer_with(FORBIDDEN))
            .layer(guard)
            .route("/unguarded", answer_with(FORBIDDEN))
            .route("/right", answer_with(StatusCode::OK));
        let site = site(server, routes).await;
        let target = match server.dialect() {
            Dialect::Nginx | Dialect::Caddy => "/_protected/media/file".to_owned(),
            Dialect::Apache | Dialect::Lighttpd => format!("{}/file", site.media().display()),
        };
        let ask = async |path| site.ask("GET", path, &[&format!("Target: {target}")]).await;
        assert_eq!(ask("/right").await.body, b"the file", "{server:?}");
        let guarded = ask("/guarded").await;
        assert_eq!((guarded.status, &*guarded.body), (FORBIDDEN, &b""[..]), "{server:?}");
        // lighttpd sends the file under any status and cannot be told otherwise.
        let unguarded = ask("/unguarded").await;
        assert_eq!(unguarded.body == b"the file", server == ProxyServer::Lighttpd, "{server:?}");
        assert!(!unguarded.status.is_success(), "{server:?}");
        for answer in [guarded, unguarded] {
            assert!(!answer.headers.contains_key(&header), "{server:?}");
        }
    }
}

/// What a client says in the proxy's language does not reach the application, and the proof that it sends is replaced.
#[tokio::test]
async fn spoofed_headers_are_taken_away() {
    let echo = get(|headers: HeaderMap| async move {
        let proofs = headers.get_all(PROXY_PROOF).iter().filter_map(|value| value.to_str().ok());
        let spoofed = headers.keys().filter(|name| {
            ["x-accel", "x-sendfile", "x-store"].iter().any(|prefix| name.as_str().starts_with(prefix))
        });
        let seen: Vec<_> = proofs.chain(spoofed.map(http::HeaderName::as_str)).collect();
        seen.join(" ")
    });
    for server in ProxyServer::ALL {
        let site = site(server, Router::new().route("/echo", echo.clone())).await;
        let spoofed = [
            "X-Accel-Redirect: /_protected/media/file",
            "X-Accel-Limit-Rate: 1",
            "X-Accel-Mapping: /=/",
            "X-Sendfile: /etc/passwd",
            "X-Sendfile-Type: X-Accel-Redirect",
            "X-Store-Path: /x",
            "X-Store-Query: x",
            "X-Secure-Download-Proof: ffffffffffffffffffffffffffffffff",
            "x-secure-download-proof: 0",
        ];
        let answer = site.ask("GET", "/echo", &spoofed).await;
        assert_eq!(String::from_utf8_lossy(&answer.body), SECRET, "{server:?}");
    }
}

/// Servers that answer for the application must not say what they add to a request.
#[tokio::test]
async fn no_answer_shows_the_secret() {
    for server in ProxyServer::ALL {
        let site = site(server, Router::new()).await;
        for method in ["TRACE", "OPTIONS", "TRACK", "DEBUG"] {
            for forwards in ["", "Max-Forwards: 0\r\n", "Max-Forwards: 1\r\n"] {
                for target in ["/", "/alone/file", "*"] {
                    let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
                    let request = format!(
                        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{forwards}Connection: close\r\n\r\n"
                    );
                    stream.write_all(request.as_bytes()).await.expect("sent");
                    let mut answer = Vec::new();
                    stream.read_to_end(&mut answer).await.expect("an answer");
                    let answer = String::from_utf8_lossy(&answer);
                    assert!(answer.starts_with("HTTP/1.1 "), "{server:?} {method} {target}: {answer}");
                    assert!(!answer.contains(SECRET), "{server:?} {method} {forwards:?} {target}: {answer}");
                }
            }
        }
    }
}

/// What the proxy vouches for cannot be named away (RFC 9110 section 7.6.1: `Connection` names what a proxy removes).
#[tokio::test]
async fn connection_takes_nothing_of_the_proxys_away() {
    const VOUCHED: [&str; 4] =
        ["x-secure-download-proof", "x-forwarded-proto", "x-forwarded-for", "x-forwarded-host"];
    let echo = get(|headers: HeaderMap| async move {
        let seen: Vec<_> = VOUCHED.into_iter().filter(|&name| headers.contains_key(name)).collect();
        seen.join(" ")
    });
    for server in ProxyServer::ALL {
        let site = site(server, Router::new().route("/echo", echo.clone())).await;
        for lines in [
            &["Connection: X-Secure-Download-Proof"][..],
            &[
                "Connection: keep-alive, x-secure-download-proof,X-Forwarded-Proto ,\tX-FORWARDED-FOR, X-Forwarded-Host",
            ],
            &["Connection: keep-alive", "Connection: X-Secure-Download-Proof", "Connection: X-Forwarded-For"],
            &["Connection: Upgrade, X-Secure-Download-Proof", "Upgrade: websocket"],
            &["Proxy-Connection: X-Secure-Download-Proof, X-Forwarded-For"],
            &[
                "Keep-Alive: X-Secure-Download-Proof",
                "Connection: Keep-Alive-X, closeX-Secure-Download-Proof",
            ],
        ] {
            let seen = site.ask("GET", "/echo", lines).await;
            assert_eq!(String::from_utf8_lossy(&seen.body), VOUCHED.join(" "), "{server:?} {lines:?}");
            // Handed off, not declined.
            let file = site.ask("GET", "/alone/file", lines).await;
            assert_eq!(
                (file.status, &*file.body),
                (StatusCode::OK, &b"the file"[..]),
                "{server:?} {lines:?}"
            );
        }
    }
}

/// Opening a FIFO waits for a writer: a worker that does is lost.
#[tokio::test]
async fn a_fifo_is_not_a_file() {
    for server in ProxyServer::ALL {
        let site = site(server, Router::new()).await;
        let fifo = site.media().join("missing");
        let made = std::process::Command::new("mkfifo").arg("-m").arg("666").arg(&fifo).status();
        assert!(made.expect("mkfifo").success());
        let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
        let request = "GET /alone/missing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("sent");
        if server.dialect() == Dialect::Caddy {
            // Caddy has no switch for it, and waits. Once it opens the FIFO for reading, so can this for writing.
            let opened =
                tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(fifo));
            drop(opened.await.expect("no panic").expect("a reader"));
            continue;
        }
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("no worker waits for the FIFO").expect("an answer");
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["403", "404"].contains(&status), "{server:?}: {answer}");
    }
}

/// An upload goes through, whatever its size and framing.
#[tokio::test]
async fn uploads_pass() {
    const SIZE: usize = 20 << 20;
    async fn count(State(()): State<()>, request: Request) -> String {
        let mut body = request.into_body();
        let mut count = 0;
        while let Some(Ok(frame)) = body.frame().await {
            count += frame.data_ref().map_or(0, axum::body::Bytes::len);
        }
        count.to_string()
    }
    for server in ProxyServer::ALL {
        let site = site(server, Router::new().route("/upload", post(count))).await;
        for chunked in [false, true] {
            let (framing, before, after) = if chunked {
                ("Transfer-Encoding: chunked".to_owned(), format!("{SIZE:x}\r\n"), "\r\n0\r\n\r\n")
            } else {
                (format!("Content-Length: {SIZE}"), String::new(), "")
            };
            let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
            let head =
                format!("POST /upload HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{framing}\r\n\r\n");
            for piece in [head.as_bytes(), before.as_bytes(), &vec![b'x'; SIZE], after.as_bytes()] {
                stream.write_all(piece).await.expect("sent");
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{server:?} {chunked}: {answer}");
            assert!(answer.contains(&SIZE.to_string()), "{server:?} {chunked}: {answer}");
        }
    }
}
