//! A gate around the strategy under test, and answers read to their end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use secure_download_core::{
    Body, Concurrency, Decision, Delivery, DeliveryError, DeliveryStrategy, Download, Event, Gate, Grant,
    Outcome, RequestHead, ResponsePlan, UsageLimit, signed_in,
};

/// Alice owns every file; bob is signed in and owns none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Alice,
    Bob,
}

/// A gate that lets alice have everything, and what was seen of it.
pub(crate) struct Site {
    gate: Gate<Option<User>, Download>,
    spy: Arc<Spy>,
}

/// What stands between gate and strategy, and takes notes.
struct Spy {
    strategy: Arc<dyn DeliveryStrategy>,
    calls: AtomicUsize,
    plan: Mutex<Option<ResponsePlan>>,
    /// Everything that logs are told.
    told: Mutex<Vec<String>>,
    outcomes: Mutex<Vec<Outcome>>,
}

#[async_trait]
impl DeliveryStrategy for Spy {
    fn name(&self) -> &'static str {
        self.strategy.name()
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        *lock(&self.plan) = Some(grant.plan().clone());
        self.strategy.deliver(grant, head).await
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    /// A gate whose catalog holds `known` under the id `known`.
    pub(crate) fn new(strategy: Arc<dyn DeliveryStrategy>, known: Download) -> Self {
        Self::build(strategy, known, None, None)
    }

    /// As [`Site::new`], for `places` downloads at once.
    pub(crate) fn with_places(strategy: Arc<dyn DeliveryStrategy>, known: Download, places: usize) -> Self {
        Self::build(strategy, known, Some(Concurrency::new(places)), None)
    }

    /// As [`Site::new`], with uses to spend.
    pub(crate) fn with_uses(
        strategy: Arc<dyn DeliveryStrategy>,
        known: Download,
        uses: Arc<dyn UsageLimit<Option<User>, Download>>,
    ) -> Self {
        Self::build(strategy, known, None, Some(uses))
    }

    fn build(
        strategy: Arc<dyn DeliveryStrategy>,
        known: Download,
        places: Option<Concurrency<Option<User>>>,
        uses: Option<Arc<dyn UsageLimit<Option<User>, Download>>>,
    ) -> Self {
        let spy = Arc::new(Spy {
            strategy,
            calls: AtomicUsize::new(0),
            plan: Mutex::new(None),
            told: Mutex::default(),
            outcomes: Mutex::default(),
        });
        let (asked, told) = (Arc::clone(&spy), Arc::clone(&spy));
        let mut builder = Gate::builder(HashMap::from([("known".to_owned(), known)]))
            .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(*user == User::Alice)))
            .strategy(asked)
            .observer(move |event: &Event<'_>| {
                lock(&told.told).push(tell(event));
                if let Event::Delivered { outcome, .. } = event {
                    lock(&told.outcomes).push(*outcome);
                }
            });
        if let Some(places) = places {
            builder = builder.concurrency(places);
        }
        if let Some(uses) = uses {
            builder = builder.usage_limit(SharedUses(uses));
        }
        Self { gate: builder.build(), spy }
    }

    /// Asks for a file by id, as the catalog knows it.
    pub(crate) async fn ask(&self, who: Option<User>, id: &str, head: &RequestHead) -> Answer {
        let response = self.gate.serve(&who, id, head).await;
        self.read(response).await
    }

    /// Asks for `download` as alice.
    pub(crate) async fn get(&self, download: &Download, head: &RequestHead) -> Answer {
        let response = self.open(download, head).await;
        self.read(response).await
    }

    /// As [`Site::get`], with the body still to be read.
    pub(crate) async fn open(&self, download: &Download, head: &RequestHead) -> Response<Body> {
        self.gate.serve_record(&Some(User::Alice), Some(download), head).await
    }

    /// How often the strategy was asked.
    pub(crate) fn calls(&self) -> usize {
        self.spy.calls.load(Ordering::Relaxed)
    }

    /// How deliveries ended since the last call.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut lock(&self.spy.outcomes))
    }

    /// Everything that logs were told.
    pub(crate) fn told(&self) -> Vec<String> {
        lock(&self.spy.told).clone()
    }

    async fn read(&self, response: Response<Body>) -> Answer {
        let plan = lock(&self.spy.plan).take().map(|plan| plan.headers().clone());
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut broke_off = None;
        while let Some(chunk) = next_chunk(&mut body).await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(error) => broke_off = Some(format!("{error:?}")),
            }
        }
        Answer {
            status: parts.status,
            delivery: parts.extensions.get::<Delivery>().copied(),
            headers: parts.headers,
            body: bytes.into(),
            broke_off,
            plan: plan.unwrap_or_default(),
        }
    }
}

pub(crate) async fn next_chunk(body: &mut Body) -> Option<Result<Bytes, secure_download_core::BodyError>> {
    std::future::poll_fn(|cx| body.poll_chunk(cx)).await
}

/// What a log would say of an event: all of it.
fn tell(event: &Event<'_>) -> String {
    match event {
        Event::Refused { reason, .. } => format!("{event:?} {reason}"),
        _ => format!("{event:?}"),
    }
}

struct SharedUses(Arc<dyn UsageLimit<Option<User>, Download>>);

#[async_trait]
impl UsageLimit<Option<User>, Download> for SharedUses {
    async fn reserve(
        &self,
        subject: &Option<User>,
        record: &Download,
    ) -> Result<secure_download_core::Use, secure_download_core::BoxError> {
        self.0.reserve(subject, record).await
    }

    async fn look(
        &self,
        subject: &Option<User>,
        record: &Download,
    ) -> Result<secure_download_core::Availability, secure_download_core::BoxError> {
        self.0.look(subject, record).await
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) body: Bytes,
    /// Why the body ended too early.
    pub(crate) broke_off: Option<String>,
    /// What the strategy was told to show; empty if it was not asked.
    pub(crate) plan: HeaderMap,
}

impl Answer {
    /// What a client can compare: status, sorted fields, body.
    pub(crate) fn bytes(&self) -> (StatusCode, Vec<(String, Vec<u8>)>, Bytes) {
        let mut fields: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        fields.sort();
        (self.status, fields, self.body.clone())
    }

    /// The fields that go beyond the plan.
    pub(crate) fn extra(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().filter(|(name, _)| !self.plan.contains_key(*name))
    }
}

/// A request with these fields beside those of every request.
pub(crate) fn head(method: &Method, always: &HeaderMap, fields: &[(HeaderName, &str)]) -> RequestHead {
    let mut headers = always.clone();
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.append(name, value);
        }
    }
    RequestHead::new(method, &headers)
}

/// Keeps the grant.
#[derive(Default)]
struct Keep(Arc<Mutex<Option<Grant>>>);

#[async_trait]
impl DeliveryStrategy for Keep {
    fn name(&self) -> &'static str {
        "keep"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        *lock(&self.0) = Some(grant);
        Ok(Response::new(Body::empty()))
    }
}

/// A grant for `download`, from a gate that grants everything.
pub(crate) async fn grant(download: &Download) -> Option<Grant> {
    let keep = Keep::default();
    let kept = Arc::clone(&keep.0);
    let gate = Gate::builder(HashMap::<String, Download>::new())
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(keep)
        .build();
    let head = RequestHead::new(&Method::GET, &HeaderMap::new());
    let _ = gate.serve_record(&(), Some(download), &head).await;
    lock(&kept).take()
}
