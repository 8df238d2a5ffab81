//! What clients see of a handed-off file is what they see of a streamed one.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http::StatusCode;
use secure_download::{CachePolicy, Download, ETag, FileKey};
use system_tests::{Answer, Http1, ProxyServer, ProxySite};

/// What may differ between somebody else's server and ours.
const EXEMPT: [&str; 7] = ["date", "server", "connection", "accept-ranges", "vary", "etag", "last-modified"];

fn catalog() -> HashMap<String, Download> {
    let key = |key| FileKey::parse(key).expect("a key");
    let download =
        || Download::new(key("file")).filename("Röntgen \"1\".pdf").content_type("application/pdf");
    let cached = CachePolicy::Private { max_age: Duration::from_secs(60) };
    [
        ("attachment", download()),
        ("text", download().content_type("text/plain; charset=utf-8")),
        ("html", download().content_type("text/html")),
        ("inline", download().content_type("image/png").inline()),
        ("cached", download().cache(cached)),
        ("untyped", Download::new(key("file"))),
        ("tagged", download().etag(ETag::strong("v1").expect("a tag"))),
    ]
    .map(|(id, download)| (id.to_owned(), download))
    .into()
}

fn compared(answer: &Answer) -> BTreeMap<&str, Vec<&[u8]>> {
    let mut fields = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in &answer.headers {
        if !EXEMPT.contains(&name.as_str()) {
            fields.entry(name.as_str()).or_default().push(value.as_bytes());
        }
    }
    fields
}

#[tokio::test]
async fn every_header_survives() {
    let bytes = b"0123456789".repeat(1000);
    for server in ProxyServer::ALL {
        let site = ProxySite::behind(server).file("file", &bytes).catalog(catalog()).start().await;
        for (id, download) in catalog() {
            for (method, fields) in [
                ("GET", &["Accept-Encoding: gzip, br"][..]),
                ("HEAD", &[]),
                ("GET", &["Range: bytes=5-9", "Accept-Encoding: gzip, br"]),
            ] {
                let lines: Vec<_> = fields.iter().map(|&line| line.to_owned()).collect();
                let mut direct = Http1::connect(site.app()).await;
                let streamed = direct.ask(method, &format!("/stream/{id}"), &lines).await;
                let handed = site.ask(method, &format!("/alone/{id}"), fields).await;
                assert_eq!(handed.status, streamed.status, "{server:?} {id} {method} {fields:?}");
                assert_eq!(handed.body, streamed.body, "{server:?} {id} {method} {fields:?}");
                assert_eq!(compared(&handed), compared(&streamed), "{server:?} {id} {method} {fields:?}");
                // What may differ is still right where it matters.
                // Apache leaves the space out.
                let vary: Vec<_> =
                    handed.headers.get_all("vary").iter().map(http::HeaderValue::as_bytes).collect();
                let varies = vary.join(&b","[..]).windows(13).any(|part| part == b"Authorization");
                assert_eq!(varies, id == "cached", "{server:?} {id} {:?}", handed.headers);
                if let Some(tag) = download.known_etag() {
                    let ours = handed.field("etag") == Some(&tag.to_string());
                    let keeps = matches!(server, ProxyServer::Apache | ProxyServer::Lighttpd);
                    assert_eq!(ours, keeps, "{server:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_application_sends_no_byte_and_shows_no_path() {
    for server in ProxyServer::ALL {
        let site = ProxySite::behind(server).file("file", b"the file").catalog(catalog()).start().await;
        for (path, method) in [("/accel/attachment", "GET"), ("/alone/attachment", "HEAD")] {
            let answer = site.ask(method, path, &[]).await;
            assert_eq!(answer.status, StatusCode::OK);
            let shown = format!("{:?}", answer.headers);
            for secret in ["_protected", "/tmp", "x-accel", "x-sendfile", "proof", system_tests::SECRET] {
                assert!(!shown.contains(secret), "{server:?} shows {secret}: {shown}");
            }
        }
    }
}
