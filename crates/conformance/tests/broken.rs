//! Each law of strategies is broken by somebody, and named.
//!
//! But for two that no strategy can break, because the gate keeps them: that no strategy is asked without a grant, and that
//! a refusal tells nothing. `xtask/mutants.txt` breaks the gate for these.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, HeaderValue, RANGE,
};
use http::{Method, Response, StatusCode};
use secure_download_conformance::Broken;
use secure_download_conformance::strategy::{Laws, samples};
use secure_download_core::{
    Body, Delivery, DeliveryError, DeliveryStrategy, ETag, Grant, Representation, RequestHead, Selection,
};

/// What a strategy in memory does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    ForgetsTheDisposition,
    LetsCachesKeep,
    SaysTooMuchInHead,
    DecodesKeys,
    ServesAnyVolume,
    ShowsWhatIsMissing,
    IsOffByOne,
    ForgetsContentRange,
    IgnoresIfMatch,
    KeepsWhatWasCut,
    MixesRequests,
    MarksWhatItSends,
    TellsOfItsStorage,
    IsWrongFarOff,
    HasOneTag,
    WaitsForItsChunk,
    Adds(&'static str, &'static str),
}

struct Memory {
    fault: Fault,
    files: HashMap<String, Bytes>,
    held: Arc<AtomicUsize>,
    last: Mutex<Bytes>,
}

impl Memory {
    fn new(fault: Fault) -> Self {
        let files = samples().into_iter().map(|sample| (sample.key.to_string(), sample.bytes)).collect();
        Self { fault, files, held: Arc::default(), last: Mutex::default() }
    }

    fn find(&self, grant: &Grant) -> Option<Bytes> {
        let key = grant.download().key().as_str();
        if self.fault == Fault::DecodesKeys {
            return self.files.get(&key.replace("%20", " ")).cloned();
        }
        self.files.get(key).cloned()
    }
}

/// A chunk that nothing else holds.
fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// Something that must be given back.
struct Held(Arc<AtomicUsize>);

impl Held {
    fn take(held: &Arc<AtomicUsize>) -> Self {
        held.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl DeliveryStrategy for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let download = grant.download();
        let named = download.volume_name().is_some() || download.version_id().is_some();
        if named && self.fault != Fault::ServesAnyVolume {
            return Err(grant.decline("memory", "no such volume or version"));
        }
        let Some(mut bytes) = self.find(&grant) else {
            if self.fault == Fault::ShowsWhatIsMissing {
                return Err(DeliveryError::Internal("gone".into()));
            }
            let reason = if self.fault == Fault::TellsOfItsStorage { "not in hush-hush" } else { "gone" };
            return Err(DeliveryError::NotFound(reason.into()));
        };
        if self.fault == Fault::MixesRequests {
            *self.last.lock().expect("not poisoned") = bytes;
            tokio::task::yield_now().await;
            bytes = self.last.lock().expect("not poisoned").clone();
        }
        let file = Representation {
            length: bytes.len() as u64,
            etag: match self.fault {
                Fault::HasOneTag => ETag::strong("v1"),
                _ => ETag::strong(format!("{:x}", bytes.len())),
            },
            last_modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
        };
        let head = if self.fault == Fault::IgnoresIfMatch {
            &RequestHead::new(
                head.method(),
                &head.fields(RANGE).map(|value| (RANGE, value.clone())).collect(),
            )
        } else {
            head
        };
        let held = Held::take(&self.held);
        let fault = self.fault;
        let off = u64::from(matches!(self.fault, Fault::IsOffByOne | Fault::IsWrongFarOff));
        let near = if self.fault == Fault::IsWrongFarOff { 131_072 } else { 0 };
        let mut response = match grant.plan().select(head, &file, SystemTime::now()) {
            Selection::Answered(response) => response,
            Selection::Send(sending) => {
                let body = Body::parts(sending.parts().clone(), move |range: Range<u64>| {
                    let _ = &held;
                    let shift = if range.start > near { off } else { 0 };
                    let at = |position: u64| usize::try_from(position - shift).expect("small");
                    let mut piece = bytes.slice(at(range.start)..at(range.end));
                    let mut chunks = Vec::new();
                    while !piece.is_empty() {
                        chunks.push(Ok(piece.split_to(piece.len().min(65_536))));
                    }
                    let held = Held::take(&held.0);
                    let mut rest = chunks.into_iter();
                    let mut lent: Option<Bytes> = None;
                    futures::stream::poll_fn(move |cx| {
                        let _ = &held;
                        if fault == Fault::WaitsForItsChunk {
                            if lent.as_ref().is_some_and(|lent| !lent.is_unique()) {
                                cx.waker().wake_by_ref();
                                return std::task::Poll::Pending;
                            }
                            let next: Option<Result<Bytes, _>> = rest.next();
                            lent = next.as_ref().and_then(|chunk| chunk.as_ref().ok()).map(copied);
                            return std::task::Poll::Ready(lent.clone().map(Ok));
                        }
                        std::task::Poll::Ready(rest.next())
                    })
                });
                sending.with_body(body)
            }
        };
        match self.fault {
            Fault::ForgetsTheDisposition => drop(response.headers_mut().remove(CONTENT_DISPOSITION)),
            Fault::LetsCachesKeep => {
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
            }
            Fault::SaysTooMuchInHead if *head.method() == Method::HEAD => {
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            Fault::ForgetsContentRange => drop(response.headers_mut().remove(CONTENT_RANGE)),
            Fault::KeepsWhatWasCut => std::mem::forget(Held::take(&self.held)),
            Fault::MarksWhatItSends => {
                response.extensions_mut().insert(Delivery::HandedOff);
            }
            Fault::Adds(name, value) => {
                response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            _ => {}
        }
        Ok(response)
    }
}

const PLAN: &str = "the client sees every header of the plan";
const FIELDS: &str = "no field goes beyond what a download needs";

#[tokio::test]
async fn each_law_of_those_that_send_is_broken_by_somebody() {
    for (fault, law) in [
        (Fault::None, None),
        (Fault::ForgetsTheDisposition, Some(PLAN)),
        (Fault::LetsCachesKeep, Some("no shared cache may keep an answer")),
        (Fault::SaysTooMuchInHead, Some("HEAD is GET without its body")),
        (Fault::DecodesKeys, Some("a key opens its own file and no other")),
        (Fault::ServesAnyVolume, Some("an unknown volume or version is never served")),
        (Fault::ShowsWhatIsMissing, Some("what is not there is not found")),
        (Fault::IsOffByOne, Some("ranges are answered as RFC 9110 says")),
        (Fault::ForgetsContentRange, Some("ranges are answered as RFC 9110 says")),
        (Fault::IgnoresIfMatch, Some("conditions are answered as RFC 9110 says")),
        (Fault::KeepsWhatWasCut, Some("a download that goes away leaves nothing behind")),
        (Fault::MixesRequests, Some("requests at the same time do not mix")),
        (Fault::MarksWhatItSends, Some(PLAN)),
        (Fault::TellsOfItsStorage, Some("no secret shows")),
        (Fault::IsWrongFarOff, Some("ranges are answered as RFC 9110 says")),
        (Fault::WaitsForItsChunk, Some("a body may be collected")),
        (Fault::HasOneTag, Some("a key opens its own file and no other")),
        (Fault::Adds("x-accel-redirect", "/_p/other"), Some(FIELDS)),
        (Fault::Adds("access-control-allow-origin", "*"), Some(FIELDS)),
        (Fault::Adds("set-cookie", "last=laws"), Some(FIELDS)),
        (Fault::Adds("refresh", "0; url=https://evil.example"), Some(FIELDS)),
        (Fault::Adds("content-encoding", "gzip"), Some(FIELDS)),
        (Fault::Adds("transfer-encoding", "chunked"), Some(FIELDS)),
        (Fault::Adds("location", "https://store.example/a"), Some(FIELDS)),
        (Fault::Adds("x-storage", "laws/plain"), Some(FIELDS)),
        (Fault::Adds("surrogate-control", "max-age=60"), Some("no shared cache may keep an answer")),
    ] {
        let memory = Memory::new(fault);
        let held = Arc::clone(&memory.held);
        let laws = Laws::sends(memory)
            .held(move || held.load(Ordering::Relaxed))
            .patience(Duration::ZERO)
            .secret("hush-hush");
        named(format!("{fault:?}"), law, laws).await;
    }
}

async fn named(case: String, law: Option<&str>, laws: Laws) {
    let verdict = laws.verify().await;
    let broken: Vec<_> = verdict.as_ref().err().into_iter().flat_map(Broken::names).collect();
    match law {
        None => assert!(verdict.is_ok(), "{case}: {verdict:?}"),
        Some(law) => assert!(broken.contains(&law), "{case}: {verdict:?}"),
    }
    assert!(!format!("{verdict:?}").contains("hush-hush"), "a verdict is shown in logs");
}

/// What a strategy does when its storage fails.
enum Failing {
    AnswersItself,
    PretendsThatAllIsWell,
}

#[async_trait]
impl DeliveryStrategy for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let mut response = Response::new(Body::empty());
        response.headers_mut().clone_from(grant.plan().headers());
        if matches!(self, Self::AnswersItself) {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            *response.body_mut() = Body::full("disk 7 is broken");
        }
        Ok(response)
    }
}

#[tokio::test]
async fn failures_that_show_or_are_hidden_are_named() {
    let law = Some("a failure tells the client nothing");
    for (case, failing) in [("shown", Failing::AnswersItself), ("hidden", Failing::PretendsThatAllIsWell)] {
        named(case.to_owned(), law, Laws::sends(Memory::new(Fault::None)).failing(failing)).await;
    }
}
