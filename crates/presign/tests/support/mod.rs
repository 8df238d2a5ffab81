//! Fixtures that the tests share.
#![allow(dead_code, reason = "every test file uses its own part of the fixtures")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use secure_download_core::{
    Body, ContentPolicy, Decision, DeliveryError, DeliveryStrategy, Download, FileKey, Gate, Grant,
    RequestHead, Terms,
};

/// 2023-11-14T22:13:20Z.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) fn head(method: &Method, fields: &[(&str, &str)]) -> RequestHead {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        headers.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    RequestHead::new(method, &headers)
}

pub(crate) fn file(key: &str) -> Download {
    Download::new(FileKey::parse(key).expect("a valid key"))
}

/// A gate that grants `record` under the id `known` on these terms.
pub(crate) fn gate(
    record: Download,
    terms: Terms,
    strategy: impl DeliveryStrategy + 'static,
) -> Gate<(), Download> {
    Gate::builder(HashMap::from([("known".to_owned(), record)]))
        .authorizer(move |(): &(), _: &Download| Decision::AllowWith(terms))
        .strategy(strategy)
        .content_policy(ContentPolicy::new())
        .build()
}

/// Keeps the grant.
struct Keep(Arc<Mutex<Option<Grant>>>);

#[async_trait]
impl DeliveryStrategy for Keep {
    fn name(&self) -> &'static str {
        "keep"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        *self.0.lock().expect("not poisoned") = Some(grant);
        Ok(Response::new(Body::empty()))
    }
}

/// A grant for `record`, from a gate that grants everything.
pub(crate) fn grant(record: Download) -> Grant {
    let kept = Arc::new(Mutex::new(None));
    let gate = gate(record, Terms::new(), Keep(Arc::clone(&kept)));
    let serve = async { gate.serve(&(), "known", &head(&Method::GET, &[])).await };
    assert_eq!(block_on(serve).status(), 200);
    let grant = kept.lock().expect("not poisoned").take();
    grant.expect("granted")
}

/// Runs what never waits for anything.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}
