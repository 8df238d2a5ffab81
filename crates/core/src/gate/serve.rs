//! One request's way through the gate. Each step either goes on or refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

use super::{Inner, Target};
use crate::concurrency::Permit;
use crate::delivery::{Delivery, ServedBy};
use crate::observe::{ready, tell};
use crate::router::deliver_named;
use crate::tracking::{Held, Tracking, Transfer};
use crate::usage::{Availability, Use};
use crate::{
    AuditId, Body, Decision, DeliveryError, Denial, Event, Grant, Masking, Observer, Outcome, Reason, Record,
    Refusal, RequestHead, ResponsePlan, Terms,
};

pub(super) async fn try_serve<S: Sync + ?Sized, R: Record>(
    inner: &Inner<S, R>,
    subject: &S,
    target: Target<'_, R>,
    terms: Terms,
    head: &RequestHead,
) -> Result<Response<Body>, Refusal> {
    let passage = Passage::new(inner, subject, target.id());
    let result = passage.run(target, terms, head).await;
    passage.enter(OVER);
    if let Err(refusal) = &result {
        passage.refused(refusal.status(), refusal.reason());
    }
    result
}

/// Refuses a request whose route cannot name a file.
pub(super) fn misrouted<S: Sync + ?Sized, R: Record>(
    inner: &Inner<S, R>,
    subject: &S,
    found: usize,
    expected: usize,
) -> Refusal {
    let passage = Passage::new(inner, subject, None);
    passage.enter(OVER);
    let refusal = passage.refuse(StatusCode::INTERNAL_SERVER_ERROR, Reason::Route { found, expected });
    passage.refused(refusal.status(), refusal.reason());
    refusal
}

/// Tells nginx not to store the answer ahead of its client
/// (<https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering>). It never reaches the client through nginx.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Longer bodies are sent with [`X_ACCEL_BUFFERING`]. nginx stores up to 1 GiB of them in a file, and then stops reading until
/// its client has caught up. Measured at 100 MB: without the file nginx takes a third less processor time for a slow client, and
/// 6 to 36 % more for a fast one.
const BUFFERED_BY_PROXIES: u64 = 16 << 20;

/// nginx's own status, for a client that was gone before it could be told anything.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl<'a, R> Target<'a, R> {
    fn id(&self) -> Option<&'a str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Record(_) => None,
        }
    }
}

/// Nothing was told of the request yet.
const UNDECIDED: u8 = 0;
/// Its grant was told.
const GRANTED: u8 = 1;
/// Its end was told, or whoever holds the answer will tell it.
const OVER: u8 = 2;

/// A request in the gate. Should it go away in here, or a part of the application panic, its end is told all the same.
struct Passage<'a, S: Sync + ?Sized, R: Record> {
    inner: &'a Inner<S, R>,
    subject: &'a S,
    audit_id: AuditId,
    started: Instant,
    id: Option<&'a str>,
    /// No `Cell`, since futures that hold a reference to it travel between threads.
    stage: AtomicU8,
}

impl<S: Sync + ?Sized, R: Record> Drop for Passage<'_, S, R> {
    fn drop(&mut self) {
        match *self.stage.get_mut() {
            UNDECIDED => {
                let status = StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::BAD_REQUEST);
                self.refused(status, &Reason::GoneAway);
            }
            GRANTED => self.delivered(self.inner.strategy.name(), None, Outcome::Cut { bytes: 0 }),
            _ => {}
        }
    }
}

impl<'a, S: Sync + ?Sized, R: Record> Passage<'a, S, R> {
    fn new(inner: &'a Inner<S, R>, subject: &'a S, id: Option<&'a str>) -> Self {
        let (audit_id, started) = (AuditId::next(), Instant::now());
        Self { inner, subject, audit_id, started, id, stage: AtomicU8::new(UNDECIDED) }
    }
}

impl<S: Sync + ?Sized, R: Record> Passage<'_, S, R> {
    async fn run(
        &self,
        target: Target<'_, R>,
        asked: Terms,
        head: &RequestHead,
    ) -> Result<Response<Body>, Refusal> {
        if !matches!(*head.method(), Method::GET | Method::HEAD) {
            return Err(self.refuse(StatusCode::METHOD_NOT_ALLOWED, Reason::Method));
        }
        let admitted = self.admit().await?;
        let found;
        let record = match target {
            Target::Record(record) => record,
            Target::Id(id) => match self.inner.catalog.find(id).await {
                Ok(record) => {
                    found = record;
                    found.as_ref()
                }
                Err(error) => {
                    return Err(self.refuse(StatusCode::SERVICE_UNAVAILABLE, Reason::Catalog(error)));
                }
            },
        };
        match record {
            Some(record) => self.grant(record, asked.stricter(admitted), head).await,
            None => Err(self.refuse(StatusCode::NOT_FOUND, Reason::UnknownId)),
        }
    }

    /// May this subject ask at all? Nothing was looked up yet.
    async fn admit(&self) -> Result<Terms, Refusal> {
        match self.inner.authorizer.admits(self.subject).await {
            Ok(Decision::Allow) => Ok(Terms::new()),
            Ok(Decision::AllowWith(terms)) => Ok(terms),
            Ok(Decision::Deny(denial)) => {
                let status = match denial {
                    Denial::Default => StatusCode::UNAUTHORIZED,
                    Denial::Hidden => StatusCode::NOT_FOUND,
                    Denial::Forbidden => StatusCode::FORBIDDEN,
                };
                Err(self.refuse(status, Reason::NotAdmitted(denial)))
            }
            Err(error) => Err(self.refuse(StatusCode::SERVICE_UNAVAILABLE, Reason::Authorizer(error))),
        }
    }

    /// May this subject download this record? If so, delivers it.
    async fn grant(&self, record: &R, asked: Terms, head: &RequestHead) -> Result<Response<Body>, Refusal> {
        let imposed = match self.inner.authorizer.authorize(self.subject, record).await {
            Ok(Decision::Allow) => Terms::new(),
            Ok(Decision::AllowWith(terms)) => terms,
            Ok(Decision::Deny(denial)) => {
                return Err(self.refuse(self.masked(denial), Reason::Denied(denial)));
            }
            Err(error) => {
                return Err(self.refuse(StatusCode::SERVICE_UNAVAILABLE, Reason::Authorizer(error)));
            }
        };
        let permit = match self.enter_place(head) {
            Some(None) => {
                return Err(self.refuse(StatusCode::SERVICE_UNAVAILABLE, Reason::TooManyDownloads));
            }
            Some(Some(permit)) => Some(permit),
            None => None,
        };
        let mut usage = self.reserve(record, head).await?;
        match self.deliver(record, asked.stricter(imposed), usage.limited, head)?.await {
            Ok(response) => {
                let spent = match due_now(&response, &mut usage.reserved) {
                    Some(held) => held.commit().await,
                    None => Ok(()),
                };
                match spent {
                    Ok(()) => Ok(self.finish(response, head, permit, usage.reserved)),
                    Err(error) => {
                        Err(self.refuse(StatusCode::SERVICE_UNAVAILABLE, Reason::UsageLimit(error)))
                    }
                }
            }
            Err(error) => Err(self.delivery_failed(error)),
        }
    }

    /// `None` without caps, `Some(None)` at a cap.
    fn enter_place(&self, head: &RequestHead) -> Option<Option<Permit>> {
        let caps = self.inner.concurrency.as_ref()?;
        Some(caps.enter(self.subject, head.patience(), Instant::now()))
    }

    /// Tells the observer and starts the delivery. No async function, so that no future holds the grant but the strategy's.
    fn deliver<'b>(
        &'b self,
        record: &R,
        asked: Terms,
        limited: bool,
        head: &'b RequestHead,
    ) -> Result<impl Future<Output = Result<Response<Body>, DeliveryError>> + Send + 'b, Refusal> {
        let download = record.download();
        let terms = download.terms().stricter(asked);
        if terms.insists_on_limited_uses() && !limited {
            return Err(self.refuse(StatusCode::INTERNAL_SERVER_ERROR, Reason::UsesNotLimited));
        }
        if let Some(observer) = &self.inner.observer {
            ready(&**observer)
                .map_err(|error| self.refuse(StatusCode::SERVICE_UNAVAILABLE, Reason::Observer(error)))?;
        }
        let plan = ResponsePlan::new(&download, terms, &self.inner.policy);
        let (audit_id, id, key, method) = (self.audit_id, self.id, download.key(), head.method());
        self.tell_who(|observer, subject| {
            observer.observe(&Event::Granted { audit_id, subject, id, key, method });
        });
        self.enter(GRANTED);
        let mut grant = Grant::new(download, plan, terms, self.audit_id, self.inner.observer.clone());
        if limited {
            grant.limit_uses();
        }
        Ok(deliver_named(&*self.inner.strategy, grant, head))
    }

    /// HEAD spends nothing, so nothing is set aside for it.
    async fn reserve(&self, record: &R, head: &RequestHead) -> Result<Usage, Refusal> {
        let Some(limit) = &self.inner.usage_limit else {
            return Ok(Usage { limited: false, reserved: None });
        };
        let failed = |error| self.refuse(StatusCode::SERVICE_UNAVAILABLE, Reason::UsageLimit(error));
        let spent = || self.refuse(self.masked(Denial::Default), Reason::UsesSpent);
        if *head.method() == Method::HEAD {
            return match limit.look(self.subject, record).await.map_err(failed)? {
                Availability::Unlimited => Ok(Usage { limited: false, reserved: None }),
                Availability::Limited => Ok(Usage { limited: true, reserved: None }),
                Availability::Spent => Err(spent()),
            };
        }
        match limit.reserve(self.subject, record).await.map_err(failed)? {
            Use::Unlimited => Ok(Usage { limited: false, reserved: None }),
            Use::Reserved(reservation) => Ok(Usage { limited: true, reserved: Some(Held::new(reservation)) }),
            Use::Spent => Err(spent()),
        }
    }

    /// Ties to the body what ends with it.
    fn finish(
        &self,
        mut response: Response<Body>,
        head: &RequestHead,
        permit: Option<Permit>,
        reserved: Option<Held>,
    ) -> Response<Body> {
        if *head.method() == Method::HEAD && response.body().remaining() > 0 {
            // Some frameworks poll the body of an answer to HEAD to its end.
            *response.body_mut() = Body::empty();
        }
        let strategy =
            response.extensions().get::<ServedBy>().map_or(self.inner.strategy.name(), ServedBy::strategy);
        let delivery = response.extensions().get::<Delivery>().copied();
        let length = response.body().remaining();
        if length > BUFFERED_BY_PROXIES && delivery.is_none() {
            response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
        }
        if length > 0 && delivery.is_none() {
            if permit.is_some() || reserved.is_some() || self.inner.observer.is_some() {
                let transfer = Transfer {
                    audit_id: self.audit_id,
                    strategy,
                    status: response.status(),
                    observer: self.inner.observer.clone(),
                    started: self.started,
                    length,
                    released: AtomicU64::new(0),
                    permit,
                };
                return response.map(|body| body.track(Tracking::new(transfer, reserved)));
            }
            return response;
        }
        // Before it is told: whatever an observer does, there is one end.
        self.enter(OVER);
        self.delivered(
            strategy,
            Some(response.status()),
            match delivery {
                Some(Delivery::HandedOff) => Outcome::HandedOff,
                Some(Delivery::Redirected) => Outcome::Redirected,
                None => Outcome::Sent { bytes: 0 },
            },
        );
        response
    }

    fn delivered(&self, strategy: &'static str, status: Option<StatusCode>, outcome: Outcome) {
        if let Some(observer) = &self.inner.observer {
            let (audit_id, duration) = (self.audit_id, self.started.elapsed());
            tell(|| observer.observe(&Event::Delivered { audit_id, strategy, status, outcome, duration }));
        }
    }

    fn refused(&self, status: StatusCode, reason: &Reason) {
        let (audit_id, id) = (self.audit_id, self.id);
        self.tell_who(|observer, subject| {
            observer.observe(&Event::Refused { audit_id, subject, id, status, reason });
        });
    }

    /// Tells the observer, with what to call the subject; no label is made if nobody listens.
    fn tell_who(&self, told: impl FnOnce(&dyn Observer, Option<&str>)) {
        if let Some(observer) = &self.inner.observer {
            tell(|| {
                let label = self.inner.subject_label.as_ref().map(|label| label(self.subject));
                told(&**observer, label.as_deref());
            });
        }
    }

    fn enter(&self, stage: u8) {
        self.stage.store(stage, Ordering::Relaxed);
    }

    fn delivery_failed(&self, error: DeliveryError) -> Refusal {
        let mut retry_after = None;
        let status = match &error {
            DeliveryError::NotFound(_) => StatusCode::NOT_FOUND,
            DeliveryError::Unavailable { retry_after: after, .. } => {
                retry_after = *after;
                StatusCode::SERVICE_UNAVAILABLE
            }
            DeliveryError::BadGateway(_) | DeliveryError::Declined(_) => StatusCode::BAD_GATEWAY,
            DeliveryError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        self.refuse(status, Reason::Delivery(error.into())).retry_after(retry_after)
    }

    fn masked(&self, denial: Denial) -> StatusCode {
        match (denial, self.inner.masking) {
            (Denial::Hidden, _) | (Denial::Default, Masking::Hidden) => StatusCode::NOT_FOUND,
            (Denial::Forbidden, _) | (Denial::Default, Masking::Forbidden) => StatusCode::FORBIDDEN,
        }
    }

    fn refuse(&self, status: StatusCode, reason: Reason) -> Refusal {
        Refusal::new(status, reason, Arc::clone(&self.inner.pages))
    }
}

/// The reserved use, if it is to be spent before the answer leaves: when the head alone delivers, as that of an empty file
/// does, and that of a hand-off or a redirect. What delivers nothing, such as 304, 412 and 416, gives the use back.
fn due_now(response: &Response<Body>, reserved: &mut Option<Held>) -> Option<Held> {
    let status = response.status();
    let redirects = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
    if !status.is_success() && !redirects {
        *reserved = None;
    }
    let at_once =
        redirects || response.body().remaining() == 0 || response.extensions().get::<Delivery>().is_some();
    reserved.take_if(|_| at_once)
}

/// What the limit on uses says about one request.
struct Usage {
    limited: bool,
    reserved: Option<Held>,
}
