//! Fixtures that the tests share: requests, records, recording fakes, collected answers.
#![allow(dead_code, reason = "every test file uses its own part of the fixtures")]

use std::collections::HashMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use secure_download_core::{
    Body, BodyError, BoxError, ContentPolicy, Decision, Delivery, DeliveryError, DeliveryStrategy, Download,
    Event, FileKey, Gate, Grant, Parts, Representation, RequestHead, ResponsePlan, Selection,
};

/// Header names and values, as a table writes them.
pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

/// The clock of the tests.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) fn head(method: &Method, fields: Fields<'_>) -> RequestHead {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    RequestHead::new(method, &headers)
}

pub(crate) fn get() -> RequestHead {
    head(&Method::GET, &[])
}

pub(crate) fn file(key: &str) -> Download {
    Download::new(FileKey::parse(key).expect("a valid key"))
}

/// A catalog with one record under the id `known`.
pub(crate) fn one(record: Download) -> HashMap<String, Download> {
    HashMap::from([("known".to_owned(), record)])
}

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, entry: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(entry.into());
    }

    /// Everything noted since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }
}

/// An observer that notes each event as one line: its name and what matters of it.
pub(crate) fn observer(log: &Log) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
    let log = log.clone();
    move |event| {
        log.note(match event {
            Event::Refused { status, reason, .. } => format!("refused {} {reason}", status.as_u16()),
            Event::Granted { key, .. } => format!("granted {key}"),
            Event::Declined { strategy, reason, .. } => format!("declined {strategy}: {reason}"),
            Event::Delivered { strategy, outcome, .. } => format!("delivered {strategy} {outcome:?}"),
            other => format!("{other:?}"),
        });
    }
}

/// An answer with its body collected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// # Panics
    /// If the body breaks off.
    pub(crate) fn of(response: Response<Body>) -> Self {
        let (parts, mut body) = response.into_parts();
        let (bytes, error) = drain(&mut body);
        assert!(error.is_none(), "the body broke off: {error:?}");
        Self { status: parts.status, headers: parts.headers, body: bytes }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().expect("visible ASCII"));
        assert!(values.next().is_none(), "{name} stands twice");
        value
    }

    /// Names and values, sorted.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        fields(&self.headers)
    }
}

pub(crate) fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().expect("visible ASCII").to_owned();
    let mut fields: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    fields.sort();
    fields
}

/// Reads a body to its end or to its error; nothing may follow either.
pub(crate) fn drain(body: &mut Body) -> (Vec<u8>, Option<BodyError>) {
    let mut bytes = Vec::new();
    let error = loop {
        match next(body) {
            Some(Ok(chunk)) => {
                assert!(!chunk.is_empty(), "no chunk is empty");
                bytes.extend_from_slice(&chunk);
            }
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    assert!(next(body).is_none(), "nothing comes after the end");
    (bytes, error)
}

pub(crate) fn next(body: &mut Body) -> Option<Result<Bytes, BodyError>> {
    block_on(std::future::poll_fn(|cx| body.poll_chunk(cx)))
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut cx)
}

/// A stream of bytes, split into chunks of at most `size`.
pub(crate) fn chunked(
    bytes: &Bytes,
    range: Range<u64>,
    size: usize,
) -> impl futures::Stream<Item = Result<Bytes, BoxError>> + Send + use<> {
    let position = |at: u64| usize::try_from(at).expect("small");
    let mut rest = bytes.slice(position(range.start)..position(range.end));
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        chunks.push(Ok(rest.split_to(size.min(rest.len()))));
    }
    futures::stream::iter(chunks)
}

/// A body of `parts` over bytes in memory.
pub(crate) fn body_of(parts: Parts, bytes: &Bytes) -> Body {
    let bytes = bytes.clone();
    Body::parts(parts, move |range| chunked(&bytes, range, 3))
}

/// A strategy made of a closure.
pub(crate) struct Strategy<F>(pub(crate) &'static str, pub(crate) F);

#[async_trait]
impl<F> DeliveryStrategy for Strategy<F>
where
    F: Fn(Grant, &RequestHead) -> Result<Response<Body>, DeliveryError> + Send + Sync,
{
    fn name(&self) -> &'static str {
        self.0
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        (self.1)(grant, head)
    }
}

/// Sends `bytes` with all that the plan offers, in chunks of three bytes.
pub(crate) fn memory(bytes: &'static [u8]) -> impl DeliveryStrategy + 'static {
    let file = Representation { length: bytes.len() as u64, etag: None, last_modified: None };
    Strategy("memory", move |grant: Grant, head: &RequestHead| {
        Ok(match grant.plan().select(head, &file, now()) {
            Selection::Answered(response) => response,
            Selection::Send(sending) => {
                let body = body_of(sending.parts().clone(), &Bytes::from_static(bytes));
                sending.with_body(body)
            }
        })
    })
}

/// Lets somebody else send the file.
pub(crate) fn elsewhere(status: u16, delivery: Delivery, body: &'static str) -> impl DeliveryStrategy {
    Strategy("elsewhere", move |_: Grant, _: &RequestHead| {
        let mut response = Response::new(Body::full(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        response.extensions_mut().insert(delivery);
        Ok(response)
    })
}

/// Everybody may have everything.
pub(crate) fn allow<S: ?Sized, R: ?Sized>(_: &S, _: &R) -> Decision {
    Decision::Allow
}

/// The plan that the gate makes for `record`.
pub(crate) fn plan_for(record: Download, policy: ContentPolicy) -> ResponsePlan {
    let plan = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&plan);
    let gate = Gate::builder(one(record))
        .authorizer(allow::<(), Download>)
        .strategy(Strategy("plan", move |grant: Grant, _: &RequestHead| {
            *slot.lock().expect("not poisoned") = Some(grant.plan().clone());
            Ok(Response::new(Body::empty()))
        }))
        .content_policy(policy)
        .build();
    assert_eq!(block_on(gate.serve(&(), "known", &get())).status(), 200);
    let plan = plan.lock().expect("not poisoned").take();
    plan.expect("delivered")
}

/// A boxed error with this text.
pub(crate) fn boxed(text: &'static str) -> BoxError {
    text.into()
}

/// # Panics
/// If `value` is not `Err`.
pub(crate) fn refused<T: Debug, E>(value: Result<T, E>) -> E {
    value.expect_err("a refusal")
}
