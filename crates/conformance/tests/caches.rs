//! No answer of a gate may be kept by a shared cache, granted or refused (RFC 9111 section 3).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{CACHE_CONTROL, EXPIRES, HeaderName, PRAGMA};
use http::{HeaderMap, HeaderValue, Method, Response};
use secure_download_accel_redirect::{AccelRedirect, Dialect, Mapping, ProxySecret, Root};
use secure_download_core::{
    Body, BoxError, CachePolicy, Concurrency, Decision, DeliveryError, DeliveryStrategy, Denial, Download,
    ETag, FileKey, Gate, Grant, PROXY_PROOF, RefusalPage, RequestHead, signed_in,
};
use secure_download_presign::{LocalKey, LocalSigner, Presign};
use secure_download_stream::Stream;

const PROOF: &str = "0123456789abcdef0123456789abcdef";

/// Fails in each way there is, by the name of the file.
struct Failing;

#[async_trait]
impl DeliveryStrategy for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let source: BoxError = "broken".into();
        Err(match grant.download().key().as_str() {
            "file" => DeliveryError::NotFound(source),
            "cached" => DeliveryError::Unavailable { retry_after: None, source },
            "tagged" => DeliveryError::BadGateway(source),
            _ => DeliveryError::Internal(source),
        })
    }
}

/// What RFC 9111 section 3 and RFC 9213 let a shared cache keep: nothing that says `no-store` or `private` without a field
/// list. An answer to a request with a cookie is no exception there.
fn may_be_kept(headers: &HeaderMap, name: HeaderName) -> bool {
    let directives: Vec<String> = headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.to_str().expect("ASCII").split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    !directives.iter().any(|directive| directive == "no-store" || directive == "private")
}

fn record(name: &str) -> Download {
    Download::new(FileKey::parse(name).expect("a key"))
}

fn strategies(folder: &std::path::Path) -> Vec<(&'static str, Arc<dyn DeliveryStrategy>)> {
    let mapping = || Mapping::new([Root::new("/_p", "/srv").expect("a root")]).expect("a mapping");
    let secret = || ProxySecret::new(PROOF).expect("a secret");
    let signer = || LocalSigner::new("/blobs/", LocalKey::new(PROOF.as_bytes()).expect("a key"));
    let mut all: Vec<(_, Arc<dyn DeliveryStrategy>)> = vec![
        ("stream", Arc::new(Stream::local(folder).expect("a folder"))),
        ("presign", Arc::new(Presign::new(signer()))),
        ("presign json", Arc::new(Presign::new(signer()).json())),
        ("failing", Arc::new(Failing)),
    ];
    for dialect in Dialect::ALL {
        all.push((dialect.name(), Arc::new(AccelRedirect::new(dialect, mapping(), secret()))));
    }
    all
}

#[tokio::test]
async fn no_answer_may_be_kept_by_a_shared_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["file", "cached", "tagged"] {
        std::fs::write(folder.path().join(name), b"0123456789").expect("written");
    }
    let mut statuses = HashMap::<u16, usize>::new();
    for (name, strategy) in strategies(folder.path()) {
        let day = Duration::from_secs(86_400);
        let files = HashMap::from([
            ("file".to_owned(), record("file")),
            ("cached".to_owned(), record("cached").cache(CachePolicy::Private { max_age: day })),
            ("tagged".to_owned(), record("tagged").etag(ETag::strong("v1").expect("a tag"))),
            ("missing".to_owned(), record("missing")),
            ("forbidden".to_owned(), record("forbidden")),
        ]);
        for places in [1000, 0] {
            let gate: Gate<Option<&str>, Download> = Gate::builder(files.clone())
                .authorizer(signed_in(|user: &&str, file: &Download| match (*user, file.key().as_str()) {
                    ("alice", "forbidden") => Decision::Deny(Denial::Forbidden),
                    ("alice", _) => Decision::Allow,
                    _ => Decision::Deny(Denial::Default),
                }))
                .strategy(Arc::clone(&strategy))
                .concurrency(Concurrency::new(places))
                // A page that would like to be kept.
                .refusals(|_| {
                    let page = RefusalPage::text("no");
                    let page = page.header(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
                    page.header(EXPIRES, HeaderValue::from_static("Fri, 31 Dec 9999 23:59:59 GMT"))
                })
                .build();
            for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
                for id in ["file", "cached", "tagged", "missing", "forbidden", "unknown"] {
                    for fields in [
                        &[][..],
                        &[("range", "bytes=0-0")],
                        &[("range", "bytes=0-0,2-2")],
                        &[("range", "bytes=99-")],
                        &[("if-none-match", "*")],
                        &[("if-none-match", "\"v1\"")],
                        &[("if-match", "\"x\"")],
                        &[("accept", "application/json")],
                    ] {
                        let mut headers = HeaderMap::new();
                        for (name, value) in fields {
                            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
                        }
                        headers.insert(PROXY_PROOF, HeaderValue::from_static(PROOF));
                        let head = RequestHead::new(&method, &headers);
                        for who in [Some("alice"), Some("bob"), None] {
                            let answer = gate.serve(&who, id, &head).await;
                            let seen = format!("{name}: {who:?} {method} {id} {fields:?}: {answer:?}");
                            let headers = answer.headers();
                            assert!(!may_be_kept(headers, CACHE_CONTROL), "{seen}");
                            // What a CDN looks at first, RFC 9213. A hand-off and a 304 name it too.
                            let cdn = HeaderName::from_static("cdn-cache-control");
                            assert!(!may_be_kept(headers, cdn), "{seen}");
                            assert!(!headers.contains_key(PRAGMA), "{seen}");
                            *statuses.entry(answer.status().as_u16()).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    let mut seen: Vec<u16> = statuses.into_keys().collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [200, 206, 302, 304, 401, 403, 404, 405, 412, 416, 500, 502, 503],
        "each kind of answer"
    );
}
