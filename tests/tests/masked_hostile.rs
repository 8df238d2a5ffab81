//! A bucket behind a proxy that answers as no store should, and clients that ask what no browser would.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use MaskingProxy::{Caddy, NewestCaddy, Nginx, NginxHeadersMore};
use axum::Router;
use axum::routing::{any, get};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use secure_download::{CachePolicy, Dialect, Download, FileKey};
use system_tests::{Answer, BUCKET_HOST, Http1, MaskedSite, MaskingProxy, hides_the_bucket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A proxy that has not looked a name up again after so long never will.
const PATIENCE: Duration = Duration::from_secs(60);

const FILE: &[u8] = b"the whole file";

/// What the application may name by itself, so that the bucket answers without a grant.
const HAND_OFF: [(&str, &str); 3] =
    [("x-accel-redirect", "/_bucket"), ("x-store-path", "/a"), ("x-store-query", "q=1")];

fn catalog() -> HashMap<String, Download> {
    let file = || {
        let key = FileKey::parse("a/file").expect("a key");
        Download::new(key).filename("{env.HOME}.png").content_type("image/png")
    };
    let cached = CachePolicy::Private { max_age: Duration::from_secs(60) };
    [("file", file()), ("inline", file().inline()), ("cached", file().inline().cache(cached))]
        .map(|(id, download)| (id.to_owned(), download))
        .into()
}

async fn site(proxy: MaskingProxy) -> MaskedSite {
    site_with(proxy, Router::new()).await
}

async fn site_with(proxy: MaskingProxy, routes: Router) -> MaskedSite {
    let site = MaskedSite::start(proxy, catalog(), routes).await;
    site.put("a/file", FILE).await;
    site
}

fn is_never_stored(answer: &Answer) -> bool {
    let mut policies = answer.headers.get_all("cache-control").iter();
    policies.any(|policy| policy.to_str().is_ok_and(|policy| policy.contains("no-store")))
}

/// Whatever follows, as it came.
async fn converse(site: &MaskedSite, request: &str) -> String {
    let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let received = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    received.expect("an end").expect("received");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn no_status_but_those_of_a_file_is_passed_on() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        // nginx has a name for 499 of its own, and none for what is not an error.
        let others: &[u16] = match proxy.dialect() {
            Dialect::Nginx => &[],
            _ => &[201, 202, 203, 204, 205, 207, 226, 299, 499, 600, 999],
        };
        let errors = (300..=599).filter(|status| ![304, 499].contains(status));
        for status in errors.chain(others.iter().copied()) {
            site.bucket.answer_with(Some(StatusCode::from_u16(status).expect("a status")));
            if matches!(status, 408 | 444) && proxy.dialect() == Dialect::Nginx {
                // To nginx these two mean to hang up.
                assert_eq!(converse(&site, "GET /masked/cached HTTP/1.1\r\nHost: a\r\n\r\n").await, "");
                continue;
            }
            let answer = site.ask("GET", "/masked/cached", &[]).await;
            let (masked, says) = match status {
                404 | 410 => (404, "not found"),
                412 => (412, "changed"),
                416 => (416, "no such range"),
                _ => (502, "delivery failed"),
            };
            let body = String::from_utf8_lossy(&answer.body);
            assert_eq!((answer.status.as_u16(), body.trim()), (masked, says), "{proxy:?} {status}");
            assert!(is_never_stored(&answer), "{proxy:?} {status} {:?}", answer.headers);
            assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{proxy:?} {status}");
            hides_the_bucket(proxy, &answer);
        }
    }
}

/// A bucket that agrees to another protocol would have a tunnel to the client.
#[tokio::test]
async fn no_protocol_is_switched() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        site.bucket.answer_with(Some(StatusCode::SWITCHING_PROTOCOLS));
        let request =
            "GET /masked/file HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n";
        let answer = converse(&site, request).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{proxy:?}: {answer}");
        let asked = site.bucket.take_asked();
        assert!(proxy.dialect() != Dialect::Nginx || asked.is_empty(), "{proxy:?}: {asked:?}");
    }
}

#[tokio::test]
async fn of_the_buckets_headers_only_those_of_a_file_are_passed_on() {
    let known = [
        "accept-ranges",
        "cache-control",
        "cdn-cache-control",
        "connection",
        "content-disposition",
        "content-length",
        "content-range",
        "content-security-policy",
        "content-type",
        "cross-origin-resource-policy",
        "date",
        "etag",
        "last-modified",
        "referrer-policy",
        "server",
        "vary",
        "via",
        "x-content-type-options",
    ];
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        let mut client = Http1::connect(site.proxy()).await;
        for (instead, fields, status) in [
            (None, vec![], 200),
            (None, vec!["Range: bytes=0-2".to_owned()], 206),
            (Some(StatusCode::NOT_MODIFIED), vec![], 304),
            (Some(StatusCode::RANGE_NOT_SATISFIABLE), vec![], 416),
            (Some(StatusCode::UNAUTHORIZED), vec![], 502),
            (Some(StatusCode::NOT_FOUND), vec![], 404),
        ] {
            site.bucket.answer_with(instead);
            for method in ["GET", "HEAD"] {
                let answer = client.ask(method, "/masked/inline", &fields).await;
                // RFC 9110 section 14.2: a part is for GET only.
                let expected = if (method, status) == ("HEAD", 206) { 200 } else { status };
                assert_eq!(answer.status, expected, "{proxy:?} {method}");
                hides_the_bucket(proxy, &answer);
                for (name, value) in &answer.headers {
                    let invented = proxy == Nginx && value == "bucket-invented";
                    let right = known.contains(&name.as_str()) || invented;
                    assert!(right, "{proxy:?} {status} shows {name}: {value:?}");
                }
                if matches!(status, 200 | 206) {
                    assert!(answer.field("content-security-policy").is_some_and(|it| it.contains("sandbox")));
                    let name = answer.field("content-disposition").expect("the application's");
                    assert!(name.contains("{env.HOME}.png"), "{proxy:?} {name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn headers_of_layers_around_the_application_stay() {
    let cookies = [(SET_COOKIE, "session=1"), (SET_COOKIE, "other=2")];
    let policy = [("x-frame-options", "DENY"), ("cache-control", "private"), ("expires", "0")];
    let routes = Router::new().route(
        "/raw",
        get(move || async move { (HAND_OFF, policy, axum::response::AppendHeaders(cookies), "") }),
    );
    for proxy in MaskingProxy::ALL {
        let site = site_with(proxy, routes.clone()).await;
        site.bucket.answer_with(Some(StatusCode::OK));
        let answer = site.ask("GET", "/raw", &[]).await;
        assert_eq!(answer.status, 200, "{proxy:?}");
        let cookies: Vec<_> = answer.headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["session=1", "other=2"], "{proxy:?}");
        for (name, value) in policy {
            assert_eq!(answer.field(name), Some(value), "{proxy:?}");
        }
    }
}

/// Interim answers, trailers: what HTTP allows before and behind an answer. nginx takes an interim answer for the answer.
#[tokio::test]
async fn what_comes_before_and_behind_an_answer_changes_nothing_of_it() {
    let interim = "HTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\nContent-Disposition: inline\r\n\
        Content-Security-Policy: bucket-evil\r\nX-Content-Type-Options: bucket-evil\r\nCache-Control: public\r\n\
        Referrer-Policy: bucket-evil\r\nCross-Origin-Resource-Policy: bucket-evil\r\n\r\n";
    for proxy in [Caddy, NewestCaddy] {
        let site = site(proxy).await;
        let streamed = Http1::connect(site.app()).await.ask("GET", "/stream/inline", &[]).await;
        let mut planned = streamed.headers;
        let answer = format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>");
        site.bucket.answer_with_bytes(answer.as_bytes());
        let answer =
            converse(&site, "GET /masked/inline HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        let last = answer.rsplit_once("HTTP/1.1 ").expect("an answer").1.to_ascii_lowercase();
        for name in ["etag", "last-modified", "accept-ranges", "date", "content-length", "server", "via"] {
            planned.remove(name);
        }
        for (name, value) in &planned {
            let line = format!("{name}: {}", value.to_str().expect("ASCII").to_ascii_lowercase());
            assert!(last.contains(&line), "{proxy:?} {line} is lost:\n{last}");
        }
        assert!(!last.contains("evil"), "{proxy:?} {last}");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n4\r\nfile\r\n0\r\n\
        X-Late: bucket-evil\r\n\r\n";
    for proxy in [Nginx, NginxHeadersMore] {
        let site = site(proxy).await;
        site.bucket.answer_with_bytes(chunked.as_bytes());
        let answer =
            converse(&site, "GET /masked/file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.ends_with("4\r\nfile\r\n0\r\n\r\n") && !answer.contains("Late"), "{proxy:?} {answer}");
    }
}

#[tokio::test]
async fn several_ranges_are_answered_with_the_whole_file() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        for (range, status, asked) in [
            ("bytes=0-1,3-4", 200, None),
            ("bytes=0-1, 3-4", 200, None),
            ("bytes=0-,-1", 200, None),
            ("bytes=0-1,", 200, None),
            ("lines=0-1", 200, None),
            ("bytes=0-1", 206, Some("bytes=0-1")),
            ("BYTES=0-1", 206, Some("BYTES=0-1")),
            ("bytes=3-", 206, Some("bytes=3-")),
            ("bytes=-3", 206, Some("bytes=-3")),
        ] {
            let _ = site.bucket.take_asked();
            let answer = site.ask("GET", "/masked/file", &[&format!("Range: {range}")]).await;
            let passed = site.bucket.take_asked()[0].headers.get("range").cloned();
            assert_eq!(
                passed.as_ref().map(|range| range.to_str().expect("ASCII")),
                asked,
                "{proxy:?} {range}"
            );
            // The store of the tests knows the unit in lower case only.
            if range != "BYTES=0-1" {
                assert_eq!(answer.status, status, "{proxy:?} {range}");
            }
            assert_eq!(answer.body == FILE, answer.status == 200, "{proxy:?} {range}");
            hides_the_bucket(proxy, &answer);
        }
        let twice = site.ask("GET", "/masked/file", &["Range: bytes=0-1", "Range: bytes=3-4"]).await;
        assert!(matches!(twice.status.as_u16(), 200 | 206 | 400), "{proxy:?} {}", twice.status);
    }
}

#[tokio::test]
async fn no_body_of_a_client_reaches_the_bucket() {
    let routes = Router::new().route("/raw", any(move |_: String| async move { (HAND_OFF, "") }));
    for proxy in MaskingProxy::ALL {
        let site = site_with(proxy, routes.clone()).await;
        site.bucket.answer_with(Some(StatusCode::OK));
        let mut client = Http1::connect(site.proxy()).await;
        for method in ["POST", "PUT", "GET", "DELETE"] {
            let fields = ["Content-Type: client/secret".to_owned()];
            client.send_with_body(method, "/raw", &fields, &[b'x'; 5000]).await;
            let answer = client.receive(method).await;
            assert_eq!(answer.status, 200, "{proxy:?} {method}");
            let asked = site.bucket.take_asked().pop().expect("asked");
            assert_eq!(asked.method, "GET", "{proxy:?} {method}");
            for name in ["content-length", "transfer-encoding", "content-type", "expect"] {
                assert!(!asked.headers.contains_key(name), "{proxy:?} {method} sends {name}");
            }
        }
        let expecting = "POST /raw HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        let answer = converse(&site, expecting).await;
        assert!(answer.contains("HTTP/1.1 200 OK\r\n"), "{proxy:?} {answer}");
        assert!(!site.bucket.take_asked()[0].headers.contains_key("expect"), "{proxy:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_remembers_nothing() {
    let routes = Router::new()
        .route("/raw", get(move || async move { (HAND_OFF, "") }))
        .route("/bare", get(|| async { ([("x-accel-redirect", "/_bucket")], "") }))
        .route("/own", get(|| async { "the application's own" }));
    for proxy in MaskingProxy::ALL {
        let site = site_with(proxy, routes.clone()).await;
        for fields in [vec![], vec!["Range: bytes=0-1".to_owned()]] {
            let mut client = Http1::connect(site.proxy()).await;
            let first = client.ask("GET", "/masked/inline", &fields).await;
            assert!(first.headers.contains_key("content-security-policy"), "{proxy:?}");
            let _ = site.bucket.take_asked();
            for target in ["/own", "/bare", "/_bucket", "/masked/none"] {
                let answer = client.ask("GET", target, &[]).await;
                assert!(site.bucket.take_asked().is_empty(), "{proxy:?} {target}");
                assert!(answer.field("etag").is_none() && answer.body != FILE, "{proxy:?} {target}");
                assert!(!answer.headers.contains_key("content-security-policy"), "{proxy:?} {target}");
                hides_the_bucket(proxy, &answer);
            }
            // A hand-off that says nothing of the type gets nothing of the file before.
            let bare = client.ask("GET", "/raw", &[]).await;
            let asked = site.bucket.take_asked().pop().expect("asked");
            assert_eq!((asked.target.as_str(), asked.headers.get("range")), ("/a?q=1", None), "{proxy:?}");
            assert!(!bare.headers.contains_key("content-security-policy"), "{proxy:?}");
            assert_eq!(bare.status, 502, "{proxy:?}: the store knows no such signature");
        }
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_page_of_the_proxys() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        for forget in [false, true] {
            if forget {
                site.names.forget();
            } else {
                site.names.change(Ipv4Addr::new(127, 0, 0, 9));
            }
            let _ = site.bucket.take_asked();
            let answer = async {
                loop {
                    let answer = site.ask("GET", "/masked/cached", &[]).await;
                    if site.bucket.take_asked().is_empty() {
                        break answer;
                    }
                }
            };
            let answer = timeout(PATIENCE, answer).await.expect("nobody is asked");
            assert_eq!(answer.status, 502, "{proxy:?}");
            let body = String::from_utf8_lossy(&answer.body);
            assert!(matches!(body.trim(), "" | "delivery failed"), "{proxy:?} {body}");
            assert!(is_never_stored(&answer), "{proxy:?} {:?}", answer.headers);
            hides_the_bucket(proxy, &answer);
        }
    }
}

#[tokio::test]
async fn old_clients_get_their_file() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        for request in [
            "GET /masked/file HTTP/1.0\r\n\r\n",
            "GET /masked/file HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /masked/file HTTP/1.1\r\nHost: a\r\nConnection: close, te\r\nTE: trailers\r\n\r\n",
        ] {
            let answer = converse(&site, request).await;
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains(" 200 "), "{proxy:?} {request} {head}");
            assert_eq!(body.as_bytes(), FILE, "{proxy:?} {request}");
            assert!(!answer.contains(BUCKET_HOST) && !answer.contains("evil"), "{proxy:?} {answer}");
            let asked = site.bucket.take_asked().pop().expect("asked");
            let names = |headers: &HeaderMap| headers.keys().map(ToString::to_string).collect::<Vec<_>>();
            assert!(
                asked.headers.keys().all(|name| matches!(name.as_str(), "host" | "accept-encoding")),
                "{proxy:?} sends {:?}",
                names(&asked.headers)
            );
        }
    }
}
