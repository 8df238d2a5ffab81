//! A bucket behind a proxy: its files come, and nothing of it shows.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secure_download::{CachePolicy, Dialect, Download, FileKey};
use system_tests::{
    Answer, BUCKET_HOST, CertificateAuthority, Http1, MaskedSite, MaskingProxy, ODD_KEYS, TlsBucket,
    hides_the_bucket,
};
use tokio::time::timeout;

/// A proxy that has not looked a name up again after so long never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client asks of a download and the bucket answers.
const ASKED: [&str; 6] =
    ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

fn download(key: &str) -> Download {
    Download::new(FileKey::parse(key).expect("a key")).filename("Röntgen \"1\".png").content_type("image/png")
}

fn catalog() -> HashMap<String, Download> {
    let cached = CachePolicy::Private { max_age: Duration::from_secs(60) };
    let mut catalog: HashMap<_, _> = [
        ("file", download("a/file")),
        ("inline", download("a/file").inline()),
        ("cached", download("a/file").cache(cached)),
        ("missing", download("a/missing")),
    ]
    .map(|(id, download)| (id.to_owned(), download))
    .into();
    for (number, key) in ODD_KEYS.iter().enumerate() {
        catalog.insert(format!("odd{number}"), download(key));
    }
    catalog
}

fn bytes() -> Vec<u8> {
    (0..300_000_u32).map(|position| (position % 251) as u8).collect()
}

async fn site(proxy: MaskingProxy) -> MaskedSite {
    let site = MaskedSite::start(proxy, catalog(), Router::new()).await;
    site.put("a/file", &bytes()).await;
    site
}

#[tokio::test]
async fn files_come_as_if_the_application_streamed_them() {
    let exempt = ["date", "server", "connection", "accept-ranges", "etag", "last-modified", "via"];
    let compared = |answer: &Answer| {
        let mut fields = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in &answer.headers {
            // Only the module takes away what nobody knows.
            if !exempt.contains(&name.as_str()) && value != "bucket-invented" {
                fields.entry(name.to_string()).or_default().push(value.clone());
            }
        }
        fields
    };
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        for id in ["file", "inline", "cached"] {
            for (method, fields) in [
                ("GET", &["Accept-Encoding: gzip, br"][..]),
                ("HEAD", &[]),
                ("GET", &["Range: bytes=5-9", "Accept-Encoding: gzip, br"]),
                ("GET", &["Range: bytes=-10"]),
            ] {
                let lines: Vec<_> = fields.iter().map(|&line| line.to_owned()).collect();
                let mut direct = Http1::connect(site.app()).await;
                let streamed = direct.ask(method, &format!("/stream/{id}"), &lines).await;
                let masked = site.ask(method, &format!("/masked/{id}"), fields).await;
                assert_eq!(masked.status, streamed.status, "{proxy:?} {id} {method} {fields:?}");
                assert!(masked.body == streamed.body, "{proxy:?} {id} {method} {fields:?}");
                assert_eq!(compared(&masked), compared(&streamed), "{proxy:?} {id} {method} {fields:?}");
                hides_the_bucket(proxy, &masked);
            }
        }
    }
}

#[tokio::test]
async fn every_odd_key_opens_its_own_file() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        for key in ODD_KEYS {
            site.put(key, key.as_bytes()).await;
        }
        for (number, key) in ODD_KEYS.iter().enumerate() {
            let answer = site.ask("GET", &format!("/masked/odd{number}"), &[]).await;
            let body = String::from_utf8_lossy(&answer.body);
            assert_eq!((answer.status.as_u16(), body.as_ref()), (200, *key), "{proxy:?}");
        }
    }
}

#[tokio::test]
async fn the_bucket_sees_nothing_of_the_client_but_range_and_conditions() {
    let private = [
        "Cookie: session=client-secret",
        "Authorization: Bearer client-secret",
        "Proxy-Authorization: Basic client-secret",
        "X-Api-Key: client-secret",
        "Token: client-secret",
        "Jwt: client-secret",
        "Referer: https://client-secret/",
        "Origin: https://client-secret",
        "X-Forwarded-For: client-secret",
        "Forwarded: for=client-secret",
        "X-Amz-Meta-A: client-secret",
        "User-Agent: client-secret",
        "Accept: client/secret",
        "H: client-secret",
        "Hot: client-secret",
        "T: client-secret",
        "Shot: client-secret",
        "1: client-secret",
        "!: client-secret",
        "~h: client-secret",
        "TE: trailers",
        "Trailer: client-secret",
        "Keep-Alive: client-secret",
        "Sec-Websocket-Key: client-secret",
        "Connection: te",
        "X-Http-Method-Override: DELETE",
        "Range: bytes=0-9",
        "If-Range: \"x\"",
        "If-Unmodified-Since: Wed, 25 Nov 2099 00:00:00 GMT",
    ];
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        let plain = site.ask("GET", "/masked/file", &[]).await;
        assert_eq!(plain.status, 200, "{proxy:?}");
        let asked = site.bucket.take_asked().pop().expect("asked");
        for name in ASKED {
            assert!(!asked.headers.contains_key(name), "{proxy:?} invents {name}");
        }
        for method in [Method::GET, Method::HEAD] {
            let _ = site.ask(method.as_str(), "/masked/file?token=client-secret", &private).await;
            let asked = site.bucket.take_asked();
            assert_eq!(asked.len(), 1, "{proxy:?}");
            assert_eq!(asked[0].method, method, "{proxy:?}");
            let seen = |headers: &HeaderMap| format!("{headers:?}");
            let known = ["host", "accept-encoding", "range", "if-range", "if-unmodified-since"];
            for name in asked[0].headers.keys() {
                assert!(
                    known.contains(&name.as_str()),
                    "{proxy:?} sends {name}: {}",
                    seen(&asked[0].headers)
                );
            }
            let all = format!("{} {}", asked[0].target, seen(&asked[0].headers));
            assert!(!all.contains("secret\"") && !all.contains("client"), "{proxy:?} {all}");
            let host = format!("{BUCKET_HOST}:{}", site.bucket_address.port());
            assert_eq!(asked[0].headers["host"], host.as_str(), "{proxy:?}");
            assert_eq!(asked[0].headers["range"], "bytes=0-9", "{proxy:?}");
        }
    }
}

#[tokio::test]
async fn conditions_are_about_the_buckets_own_validators() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        let whole = site.ask("GET", "/masked/file", &[]).await;
        let tag = whole.field("etag").expect("the bucket's").to_owned();
        let date = whole.field("last-modified").expect("the bucket's").to_owned();
        let mut seen = Vec::new();
        for fields in [
            vec![format!("If-None-Match: {tag}")],
            vec![format!("If-None-Match: \"other\"")],
            vec![format!("If-Modified-Since: {date}")],
            vec!["If-Unmodified-Since: Wed, 25 Nov 2020 00:00:00 GMT".to_owned()],
            vec![format!("If-Match: {tag}")],
            vec!["Range: bytes=0-4".to_owned(), format!("If-Match: {tag}")],
            vec!["Range: bytes=0-4".to_owned(), format!("If-Range: {tag}")],
            vec!["Range: bytes=999999-".to_owned()],
        ] {
            let fields: Vec<_> = fields.iter().map(String::as_str).collect();
            let answer = site.ask("GET", "/masked/file", &fields).await;
            let theirs = site.ask_bucket("a/file", &fields).await;
            assert_eq!(answer.status, theirs.status, "{proxy:?} {fields:?}");
            assert_eq!(answer.field("content-range"), theirs.field("content-range"), "{proxy:?} {fields:?}");
            hides_the_bucket(proxy, &answer);
            seen.push(answer.status.as_u16());
        }
        assert!([206, 416].iter().all(|status| seen.contains(status)), "{proxy:?} {seen:?}");
        site.bucket.answer_with(Some(StatusCode::RANGE_NOT_SATISFIABLE));
        let answer = site.ask("GET", "/masked/file", &["Range: bytes=999999-"]).await;
        assert_eq!((answer.status.as_u16(), answer.field("content-range")), (416, Some("bytes */300000")));
        hides_the_bucket(proxy, &answer);
        site.bucket.answer_with(Some(StatusCode::NOT_MODIFIED));
        let answer = site.ask("GET", "/masked/file", &[&format!("If-None-Match: {tag}")]).await;
        assert_eq!(answer.status, 304, "{proxy:?}");
        hides_the_bucket(proxy, &answer);
    }
}

#[tokio::test]
async fn failures_of_the_bucket_do_not_show() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        let answer = site.ask("GET", "/masked/missing", &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.trim_ascii()), (404, &b"not found"[..]), "{proxy:?}");
        hides_the_bucket(proxy, &answer);
        // What the bucket itself answers with: errors, redirects, whole pages that name it.
        for status in [301, 307, 400, 403, 409, 429, 500, 503] {
            site.bucket.answer_with(Some(StatusCode::from_u16(status).expect("a status")));
            let answer = site.ask("GET", "/masked/file", &[]).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.trim_ascii()),
                (502, &b"delivery failed"[..]),
                "{proxy:?} {status}"
            );
            hides_the_bucket(proxy, &answer);
        }
        site.bucket.answer_with(Some(StatusCode::PRECONDITION_FAILED));
        let answer = site.ask("GET", "/masked/file", &[]).await;
        assert_eq!(answer.status, 412, "{proxy:?}");
        hides_the_bucket(proxy, &answer);
    }
}

#[tokio::test]
async fn a_changed_address_is_followed_and_a_wrong_certificate_is_not() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        let port = site.bucket_address.port();
        let first = site.ask("GET", "/masked/file", &[]).await;
        assert_eq!(first.status, 200, "{proxy:?}");

        let (second, tls) = (Ipv4Addr::new(127, 0, 0, 2), site.authority.server(BUCKET_HOST));
        let (second_bucket, _) = TlsBucket::start((second, port), tls, site.store.address()).await;
        site.names.change(second);
        // A name is kept for a second by nginx, for five by Caddy.
        let followed = async {
            while second_bucket.take_asked().is_empty() {
                let answer = site.ask("HEAD", "/masked/file", &[]).await;
                assert_eq!(answer.status, 200, "{proxy:?}");
            }
        };
        timeout(PATIENCE, followed).await.expect("the new address is asked");

        let (third, name) = (Ipv4Addr::new(127, 0, 0, 3), "elsewhere.test");
        let (fourth, stranger) = (Ipv4Addr::new(127, 0, 0, 4), CertificateAuthority::new());
        for (address, tls) in [(third, site.authority.server(name)), (fourth, stranger.server(BUCKET_HOST))] {
            let (impostor, _) = TlsBucket::start((address, port), tls, site.store.address()).await;
            site.names.change(address);
            // Each of nginx's workers keeps a name by itself: until the last has looked it up again, some still find the bucket.
            let noticed = async {
                loop {
                    let answer = site.ask("GET", "/masked/file", &[]).await;
                    assert!(impostor.take_asked().is_empty(), "{proxy:?} sent a signed URL to an impostor");
                    if answer.status != 200 {
                        break answer;
                    }
                }
            };
            let answer = timeout(PATIENCE, noticed).await.expect("the impostor is found out");
            assert_eq!(answer.status, 502, "{proxy:?}");
            hides_the_bucket(proxy, &answer);
        }
    }
}

/// What an application that was taken in might name, and what a hand-off of another status must not do.
#[tokio::test]
async fn only_plain_targets_of_the_one_server_are_fetched() {
    let targets = [
        ("@elsewhere.test/x", "q=1"),
        (".elsewhere.test/x", "q=1"),
        ("//elsewhere.test/x", "q=1"),
        ("http://elsewhere.test/x", "q=1"),
        ("x", "q=1"),
        ("", "q=1"),
        ("/a b", "q=1"),
        ("/a#b", "q=1"),
        ("/a", ""),
        ("/a", "q=1 HTTP/1.1"),
    ];
    let mut routes = Router::new();
    for (number, (path, query)) in targets.into_iter().enumerate() {
        let fields = [("x-accel-redirect", "/_bucket"), ("x-store-path", path), ("x-store-query", query)];
        routes = routes.route(&format!("/raw/{number}"), get(move || async move { (fields, "") }));
    }
    let fields = [("x-accel-redirect", "/_bucket"), ("x-store-path", "/a"), ("x-store-query", "q=1")];
    routes = routes
        .route("/denied", get(move || async move { (StatusCode::FORBIDDEN, fields, "") }))
        .route("/forgot", get(move || async move { ([fields[1], fields[2]], "") }));
    for proxy in MaskingProxy::ALL {
        let site = MaskedSite::start(proxy, catalog(), routes.clone()).await;
        for (number, target) in targets.iter().enumerate() {
            let answer = site.ask("GET", &format!("/raw/{number}"), &[]).await;
            assert!(answer.status.as_u16() >= 400, "{proxy:?} {target:?} {}", answer.status);
            hides_the_bucket(proxy, &answer);
            // Caddy cannot look at a target closely, but can only take it to the bucket.
            let asked = site.bucket.take_asked();
            assert!(asked.is_empty() || proxy.dialect() == Dialect::Caddy, "{proxy:?} {target:?}");
        }
        let denied = site.ask("GET", "/denied", &[]).await;
        assert!(matches!(denied.status.as_u16(), 403 | 502), "{proxy:?} {}", denied.status);
        hides_the_bucket(proxy, &denied);
        for path in ["/_bucket", "/_bucket/", "/_bucket?q=1", "/forgot"] {
            let answer = site.ask("GET", path, &["X-Store-Path: /a", "X-Store-Query: q=1"]).await;
            assert_ne!(answer.status, StatusCode::PARTIAL_CONTENT);
            assert!(answer.body.len() < 400, "{proxy:?} {path}");
            let names_it = answer.headers.values().any(|value| value == HeaderValue::from_static("q=1"));
            assert!(!names_it, "{proxy:?} {path}");
        }
        assert!(site.bucket.take_asked().is_empty(), "{proxy:?}");
    }
}

#[tokio::test]
async fn no_signature_is_written_anywhere() {
    for proxy in MaskingProxy::ALL {
        let site = site(proxy).await;
        for id in ["file", "missing"] {
            let _ = site.ask("GET", &format!("/masked/{id}"), &[]).await;
        }
        site.bucket.answer_with(Some(StatusCode::SERVICE_UNAVAILABLE));
        let _ = site.ask("GET", "/masked/file", &[]).await;
        // An address where nobody listens, so that the proxy has something to complain about.
        site.names.change(Ipv4Addr::new(127, 0, 0, 9));
        let unreached = async {
            loop {
                let answer = site.ask("GET", "/masked/file", &[]).await;
                hides_the_bucket(proxy, &answer);
                if site.bucket.take_asked().is_empty() {
                    break;
                }
            }
        };
        timeout(PATIENCE, unreached).await.expect("nobody is asked");
        let written = site.written();
        for asked in ["X-Amz-Signature", "X-Amz-Credential", "a/file"] {
            assert!(!written.contains(asked), "{proxy:?} writes {asked}: {written}");
        }
    }
}
