//! Ranges and conditions of handed-off files.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use secure_download::{Dialect, Download, ETag, FileKey};
use system_tests::{Http1, ProxyServer, ProxySite};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TEXT: &[u8] = b"0123456789abcdefghij";

fn catalog() -> HashMap<String, Download> {
    let download = |key| Download::new(FileKey::parse(key).expect("a key")).content_type("text/plain");
    let tag = ETag::strong("v1").expect("a tag");
    HashMap::from([
        ("plain".to_owned(), download("file")),
        ("tagged".to_owned(), download("file").etag(tag)),
        ("other".to_owned(), download("other")),
        ("large".to_owned(), download("large")),
    ])
}

async fn site(server: ProxyServer) -> ProxySite {
    let site = ProxySite::behind(server).file("file", TEXT).file("other", b"another text").catalog(catalog());
    let site = site.start().await;
    // Old enough for its date to be a strong validator everywhere.
    let modified = SystemTime::now() - Duration::from_secs(3600);
    for name in ["file", "other"] {
        let file = File::options().write(true).open(site.media().join(name)).expect("a file");
        file.set_modified(modified).expect("a date");
    }
    site
}

/// The whole answer to a request for ranges, whose framing differs from server to server.
async fn raw(site: &ProxySite, target: &str, ranges: &str) -> String {
    let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
    let head =
        format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nRange: bytes={ranges}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn ranges() {
    const PART: StatusCode = StatusCode::PARTIAL_CONTENT;
    for server in ProxyServer::ALL {
        let site = site(server).await;
        for id in ["plain", "tagged"] {
            let target = format!("/alone/{id}");
            let whole = site.get(&target).await;
            assert_eq!((whole.status, &*whole.body), (StatusCode::OK, TEXT), "{server:?}");
            for (range, body, content_range) in [
                ("bytes=0-3", &TEXT[..4], "bytes 0-3/20"),
                ("bytes=-3", &TEXT[17..], "bytes 17-19/20"),
                ("bytes=15-", &TEXT[15..], "bytes 15-19/20"),
                ("bytes=15-99", &TEXT[15..], "bytes 15-19/20"),
            ] {
                let part = site.ask("GET", &target, &[&format!("Range: {range}")]).await;
                assert_eq!((part.status, &*part.body), (PART, body), "{server:?} {range}");
                assert_eq!(part.field("content-range"), Some(content_range), "{server:?}");
            }
            let beyond = raw(&site, &target, "20-").await;
            assert!(beyond.starts_with("HTTP/1.1 416 "), "{server:?} {beyond}");
            // Apache and lighttpd leave it out, RFC 9110 section 15.5.17 asks for it.
            let tells = matches!(server.dialect(), Dialect::Nginx | Dialect::Caddy);
            assert_eq!(beyond.contains("Content-Range: bytes */20"), tells, "{server:?} {beyond}");
            let two = raw(&site, &target, "0-1,10-11").await;
            assert!(two.starts_with("HTTP/1.1 206 "), "{server:?} {two}");
            if server == ProxyServer::Lighttpd {
                // It sends all from the first to the last.
                assert!(two.contains("Content-Range: bytes 0-11/20"), "{two}");
            } else {
                assert!(two.contains("bytes 0-1/20") && two.contains("bytes 10-11/20"), "{server:?} {two}");
            }
            let many = raw(&site, &target, &["0-19"; 300].join(",")).await;
            assert!(many.len() < 4096, "{server:?}: the answer is larger than the file by much");
        }
    }
}

#[tokio::test]
async fn conditions_hold_for_what_the_client_was_given() {
    const OK: StatusCode = StatusCode::OK;
    const PART: StatusCode = StatusCode::PARTIAL_CONTENT;
    for server in ProxyServer::ALL {
        let site = site(server).await;
        for id in ["plain", "tagged"] {
            let target = format!("/alone/{id}");
            let ask = async |method: &str, fields: &[String]| {
                let fields: Vec<_> = fields.iter().map(String::as_str).collect();
                site.ask(method, &target, &fields).await
            };
            let given = ask("GET", &[]).await;
            let tag = given.field("etag").map(str::to_owned);
            let date = given.field("last-modified").expect("a date").to_owned();
            // Apache is told to make none, as it would make the same for every file.
            assert_eq!(tag.is_none(), server == ProxyServer::Apache && id == "plain", "{server:?} {tag:?}");
            let long_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
            let later = httpdate::fmt_http_date(SystemTime::now());
            for method in ["GET", "HEAD"] {
                for (fields, status) in [
                    (vec![format!("If-Modified-Since: {date}")], StatusCode::NOT_MODIFIED),
                    (vec![format!("If-Modified-Since: {later}")], StatusCode::NOT_MODIFIED),
                    (vec![format!("If-Modified-Since: {long_ago}")], OK),
                    (vec![format!("If-Unmodified-Since: {date}")], OK),
                    (vec!["If-None-Match: \"other\"".to_owned()], OK),
                ] {
                    assert_eq!(
                        ask(method, &fields).await.status,
                        status,
                        "{server:?} {id} {method} {fields:?}"
                    );
                }
            }
            let ranged = |condition: String| vec!["Range: bytes=0-3".to_owned(), condition];
            for (fields, status) in [
                (ranged(format!("If-Range: {date}")), PART),
                (ranged(format!("If-Range: {long_ago}")), OK),
                (ranged("If-Range: \"other\"".to_owned()), OK),
            ] {
                assert_eq!(ask("GET", &fields).await.status, status, "{server:?} {id} {fields:?}");
            }
            let Some(tag) = tag else { continue };
            for method in ["GET", "HEAD"] {
                for (field, status) in [
                    (format!("If-None-Match: {tag}"), StatusCode::NOT_MODIFIED),
                    (format!("If-None-Match: W/{tag}"), StatusCode::NOT_MODIFIED),
                    (format!("If-None-Match: \"x\", {tag}"), StatusCode::NOT_MODIFIED),
                    (format!("If-Match: {tag}"), OK),
                    (format!("If-Match: \"x\", {tag}"), OK),
                ] {
                    let answer = ask(method, std::slice::from_ref(&field)).await;
                    assert_eq!(answer.status, status, "{server:?} {id} {method} {field}");
                }
            }
            assert_eq!(ask("GET", &ranged(format!("If-Range: {tag}"))).await.status, PART, "{server:?}");
            let stale = ask("GET", &["If-Match: \"x\"".to_owned()]).await.status;
            // lighttpd ignores it; where the application knows the tag, the application answers.
            let ignored = server == ProxyServer::Lighttpd && id == "plain";
            assert_eq!(stale, if ignored { OK } else { StatusCode::PRECONDITION_FAILED }, "{server:?} {id}");
            let other = site.ask("GET", "/alone/other", &[&format!("If-None-Match: {tag}")]).await;
            assert_eq!(other.status, OK, "{server:?}: two files share the tag {tag}");
        }
    }
}

/// A body behind the answer to a HEAD would be read as the next answer.
#[tokio::test]
async fn head_on_a_kept_connection() {
    for server in ProxyServer::ALL {
        let site = site(server).await;
        let mut connection = Http1::connect(site.proxy()).await;
        for _ in 0..3 {
            let head = connection.ask("HEAD", "/alone/plain", &[]).await;
            assert_eq!(
                (head.status, head.field("content-length")),
                (StatusCode::OK, Some("20")),
                "{server:?}"
            );
            let get = connection.ask("GET", "/alone/other", &[]).await;
            assert_eq!(get.body, b"another text", "{server:?}");
        }
    }
}

#[tokio::test]
async fn files_beyond_4_gib() {
    const BOUNDARY: u64 = 1 << 32;
    const LENGTH: u64 = BOUNDARY + (1 << 20);
    for server in ProxyServer::ALL {
        let site = site(server).await;
        let file = File::create(site.media().join("large")).expect("a file");
        file.set_len(LENGTH).expect("a sparse file");
        file.write_all_at(b"across", BOUNDARY - 3).expect("written");
        let head = site.ask("HEAD", "/alone/large", &[]).await;
        assert_eq!(head.field("content-length"), Some(&*LENGTH.to_string()), "{server:?}");
        let range = format!("Range: bytes={}-{}", BOUNDARY - 3, BOUNDARY + 2);
        let across = site.ask("GET", "/alone/large", &[&range]).await;
        assert_eq!(
            (across.status, &*across.body),
            (StatusCode::PARTIAL_CONTENT, &b"across"[..]),
            "{server:?}"
        );
        let rest = site.ask("GET", "/alone/large", &[&format!("Range: bytes={}-", BOUNDARY - 3)]).await;
        assert_eq!(rest.body.len() as u64, LENGTH - BOUNDARY + 3, "{server:?}");
        assert!(rest.body.starts_with(b"across"), "{server:?}");
    }
}
