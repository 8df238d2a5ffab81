//! What the strategy answers, seen through a gate.

use std::collections::HashMap;
use std::num::NonZeroU64;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use secure_download_accel_redirect::{AccelRedirect, Dialect, Mapping, ProxySecret, Root};
use secure_download_core::{
    AUDIT_ID, Body, CachePolicy, Decision, Delivery, DeliveryError, DeliveryStrategy, Download, ETag,
    FileKey, FirstOf, Gate, Grant, PROXY_PROOF, RequestHead, ServedBy,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Stands where a stream would.
struct Fallback;

#[async_trait]
impl DeliveryStrategy for Fallback {
    fn name(&self) -> &'static str {
        "fallback"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let mut response = Response::new(Body::full("streamed"));
        response.headers_mut().clone_from(grant.plan().headers());
        Ok(response)
    }
}

fn accel(dialect: Dialect) -> AccelRedirect {
    let mapping = Mapping::new([
        Root::new("/_p/media", "/srv/my media").expect("a root"),
        Root::new("/_p/tenants", "/srv/tenants").expect("a root").every_volume(),
    ]);
    AccelRedirect::new(dialect, mapping.expect("a mapping"), ProxySecret::new(SECRET).expect("a secret"))
}

fn gate(download: &Download, strategy: impl DeliveryStrategy + 'static) -> Gate<(), Download> {
    Gate::builder(HashMap::from([("1".to_owned(), download.clone())]))
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(strategy)
        .build()
}

fn head(method: &Method, fields: &[(HeaderName, &str)]) -> RequestHead {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    RequestHead::new(method, &headers)
}

fn proven() -> RequestHead {
    head(&Method::GET, &[(PROXY_PROOF, SECRET)])
}

fn file(key: &str) -> Download {
    Download::new(FileKey::parse(key).expect("a key")).content_type("image/png").filename("a.png")
}

#[tokio::test]
async fn each_dialect_names_the_file_its_own_way() {
    for (dialect, name, plain, tenant) in [
        (Dialect::Nginx, "x-accel-redirect", "/_p/media/a%20b%2541/%C3%A9", "/_p/tenants/t%3F/x"),
        (Dialect::Caddy, "x-accel-redirect", "/_p/media/a%20b%2541/%C3%A9", "/_p/tenants/t%3F/x"),
        (Dialect::Apache, "x-sendfile", "/srv/my%20media/a%20b%2541/%C3%A9", "/srv/tenants/t%3F/x"),
        (Dialect::Lighttpd, "x-sendfile", "/srv/my%20media/a%20b%2541/%C3%A9", "/srv/tenants/t%3F/x"),
    ] {
        assert_eq!(dialect.header().as_str(), name);
        for (download, target) in [(file("a b%41/é"), plain), (file("x").volume("t?"), tenant)] {
            for method in [Method::GET, Method::HEAD] {
                let head = head(&method, &[(PROXY_PROOF, SECRET)]);
                let response = gate(&download, accel(dialect)).serve(&(), "1", &head).await;
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(response.headers()[name], target, "{dialect}");
                assert!(response.headers()[name].is_sensitive());
                assert_eq!(response.body().remaining(), 0);
                assert_eq!(response.extensions().get(), Some(&Delivery::HandedOff));
            }
        }
    }
}

#[tokio::test]
async fn the_plan_goes_along_and_nothing_that_describes_bytes() {
    let download = file("a").cache(CachePolicy::Private { max_age: std::time::Duration::from_secs(9) });
    let download = download.length(10).last_modified(std::time::UNIX_EPOCH);
    let streamed = gate(&download, Fallback).serve(&(), "1", &proven()).await;
    for dialect in Dialect::ALL {
        let mut handed = gate(&download, accel(dialect)).serve(&(), "1", &proven()).await;
        assert!(handed.headers_mut().remove(dialect.header()).is_some());
        assert_eq!(handed.headers(), streamed.headers(), "{dialect}");
    }
}

#[tokio::test]
async fn without_a_single_right_proof_the_next_strategy_serves() {
    let wrong = "f".repeat(32);
    for proof in [&[][..], &[wrong.as_str()], &[SECRET, SECRET], &[SECRET, &wrong], &[""]] {
        let fields: Vec<_> = proof.iter().map(|&line| (PROXY_PROOF, line)).collect();
        let head = head(&Method::GET, &fields);
        let alone = gate(&file("a"), accel(Dialect::Nginx)).serve(&(), "1", &head).await;
        assert_eq!(alone.status(), StatusCode::BAD_GATEWAY, "{proof:?}");
        let both = FirstOf::new(accel(Dialect::Nginx)).or(Fallback);
        let both = gate(&file("a"), both).serve(&(), "1", &head).await;
        assert_eq!((both.status(), both.body().remaining()), (StatusCode::OK, 8), "{proof:?}");
        for response in [alone, both] {
            assert!(!response.headers().contains_key("x-accel-redirect"), "{proof:?}");
        }
    }
}

#[tokio::test]
async fn what_a_proxy_cannot_do_is_declined() {
    let rate = NonZeroU64::new(1000).expect("not zero");
    let long = "é".repeat(512);
    for dialect in Dialect::ALL {
        let rated = gate(&file("a").rate(rate), FirstOf::new(accel(dialect)).or(Fallback));
        let rated = rated.serve(&(), "1", &proven()).await;
        let limit = rated.headers().get("x-accel-limit-rate").map(|value| value.to_str().expect("ASCII"));
        let expected = if dialect == Dialect::Nginx { (0, Some("1000")) } else { (8, None) };
        assert_eq!((rated.body().remaining(), limit), expected, "{dialect}");

        let deep = Root::new("/_p", format!("/{}", "d".repeat(2000))).expect("a root");
        let secret = ProxySecret::new(SECRET).expect("a secret");
        let deep = AccelRedirect::new(dialect, Mapping::new([deep]).expect("a mapping"), secret);
        let by_folder = matches!(dialect, Dialect::Apache | Dialect::Lighttpd);
        for (download, strategy, handed_off) in [
            (file("a").version("1"), accel(dialect), false),
            (file("a").volume(".."), accel(dialect), false),
            (file(&long), accel(dialect), true),
            (file(&long), deep, !by_folder),
        ] {
            let response = gate(&download, FirstOf::new(strategy).or(Fallback));
            let response = response.serve(&(), "1", &proven()).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.body().remaining() == 0, handed_off, "{dialect} {download:?}");
            assert_eq!(response.headers().contains_key(dialect.header()), handed_off);
        }
    }
}

#[tokio::test]
async fn conditions_are_answered_where_clients_hold_the_tag() {
    let tagged = file("a").etag(ETag::strong("v1").expect("a tag"));
    for dialect in Dialect::ALL {
        let ours = matches!(dialect, Dialect::Apache | Dialect::Lighttpd);
        for (download, field, value, answered) in [
            (&tagged, http::header::IF_NONE_MATCH, "\"v1\"", Some(StatusCode::NOT_MODIFIED)),
            (&tagged, http::header::IF_MATCH, "\"v0\"", Some(StatusCode::PRECONDITION_FAILED)),
            (&tagged, http::header::IF_MATCH, "\"v1\"", None),
            (&tagged, http::header::IF_MODIFIED_SINCE, "Sun, 06 Nov 2094 08:49:37 GMT", None),
            (&file("a"), http::header::IF_MATCH, "\"proxy's\"", None),
            (&file("a"), http::header::IF_NONE_MATCH, "*", None),
        ] {
            let head = head(&Method::GET, &[(PROXY_PROOF, SECRET), (field, value)]);
            let response = gate(download, accel(dialect)).serve(&(), "1", &head).await;
            let answered = answered.filter(|_| ours);
            assert_eq!(response.status(), answered.unwrap_or(StatusCode::OK), "{dialect} {value}");
            assert_eq!(response.headers().contains_key(dialect.header()), answered.is_none());
            let sends_tag =
                ours && download.known_etag().is_some() && answered != Some(StatusCode::PRECONDITION_FAILED);
            assert_eq!(response.headers().contains_key("etag"), sends_tag, "{dialect} {value}");
        }
    }
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn the_layer_keeps_both_rules() {
    use http::Request;
    use tower::{ServiceBuilder, ServiceExt as _};

    let inner = tower::service_fn(async |request: Request<()>| {
        let status = if request.uri().path() == "/denied" { StatusCode::FORBIDDEN } else { StatusCode::OK };
        let response = Response::builder().status(status).header("x-accel-redirect", "/_p/media/a");
        let hidden = request.headers()[PROXY_PROOF].is_sensitive();
        response.body(String::from(if hidden { "inner" } else { "logs would show the proof" }))
    });
    let service = ServiceBuilder::new().layer(accel(Dialect::Nginx).guard()).service(inner);
    for (path, status, hands_off, body) in [
        ("/", StatusCode::OK, true, "inner"),
        ("/denied", StatusCode::FORBIDDEN, false, "inner"),
        ("/_p/media/a", StatusCode::NOT_FOUND, false, ""),
        ("/_p/%74enants", StatusCode::NOT_FOUND, false, ""),
    ] {
        let request = Request::get(path).header(PROXY_PROOF, SECRET).body(()).expect("a request");
        let response = service.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers().contains_key("x-accel-redirect"), hands_off, "{path}");
        assert_eq!(response.body(), body, "{path}");
    }
}

#[cfg(feature = "actix")]
#[actix_web::test]
async fn the_middleware_keeps_both_rules() {
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpRequest, HttpResponse, web};

    let inner = async |request: HttpRequest| {
        let status = if request.path() == "/denied" { StatusCode::FORBIDDEN } else { StatusCode::OK };
        HttpResponse::build(status).insert_header(("x-accel-redirect", "/_p/media/a")).body("inner")
    };
    let app = App::new().default_service(web::to(inner)).wrap(accel(Dialect::Nginx).guard());
    let app = init_service(app).await;
    for (path, status, hands_off, body) in [
        ("/", StatusCode::OK, true, "inner"),
        ("/denied", StatusCode::FORBIDDEN, false, "inner"),
        ("/_p/media/a", StatusCode::NOT_FOUND, false, ""),
        ("/_p/%74enants", StatusCode::NOT_FOUND, false, ""),
    ] {
        let response = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers().contains_key("x-accel-redirect"), hands_off, "{path}");
        assert_eq!(read_body(response).await, body, "{path}");
    }
}

#[tokio::test]
async fn the_audit_id_is_told_with_hand_offs_alone_and_if_asked_for() {
    let etag = ETag::strong("v1").expect("a tag");
    let download = file("a").etag(etag);
    for (strategy, tells) in [(accel(Dialect::Apache), false), (accel(Dialect::Apache).tell_audit_id(), true)]
    {
        let gate = gate(&download, strategy);
        let response = gate.serve(&(), "1", &proven()).await;
        let served = response.extensions().get::<ServedBy>().expect("served").audit_id().to_string();
        let told = response.headers().get(AUDIT_ID).map(|value| value.to_str().expect("ASCII").to_owned());
        assert_eq!(told, tells.then_some(served));
        let known = head(&Method::GET, &[(PROXY_PROOF, SECRET), (http::header::IF_NONE_MATCH, "\"v1\"")]);
        let response = gate.serve(&(), "1", &known).await;
        assert_eq!((response.status(), response.headers().get(AUDIT_ID)), (StatusCode::NOT_MODIFIED, None));
    }
}
