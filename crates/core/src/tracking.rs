//! What happens to a delivery after its response was made: uses committed, bytes counted, permits returned.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;

use crate::concurrency::Permit;
use crate::observe::tell;
use crate::usage::Reservation;
use crate::{AuditId, BoxError, Event, Observer, Outcome};

type Commit = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Rides on a body.
pub(crate) struct Tracking {
    transfer: Arc<Transfer>,
    usage: Usage,
}

enum Usage {
    Unlimited,
    Reserved(Held),
    Committing(Commit),
}

/// A reservation that is returned unless it is committed.
pub(crate) struct Held(Option<Box<dyn Reservation>>);

impl Held {
    pub(crate) fn new(reservation: Box<dyn Reservation>) -> Self {
        Self(Some(reservation))
    }

    pub(crate) fn commit(mut self) -> Commit {
        match self.0.take() {
            Some(reservation) => Box::pin(reservation.commit()),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(reservation) = self.0.take() {
            reservation.release();
        }
    }
}

/// One transfer. It is over when the body and every chunk of it are gone, and reports itself then.
pub(crate) struct Transfer {
    pub(crate) audit_id: AuditId,
    pub(crate) strategy: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) started: Instant,
    pub(crate) length: u64,
    pub(crate) released: AtomicU64,
    /// Counts against the caps until the last chunk is released, or another download takes its place.
    pub(crate) permit: Option<Permit>,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            let bytes = *self.released.get_mut();
            let outcome = if bytes == self.length { Outcome::Sent { bytes } } else { Outcome::Cut { bytes } };
            let event = Event::Delivered {
                audit_id: self.audit_id,
                strategy: self.strategy,
                status: Some(self.status),
                outcome,
                duration: self.started.elapsed(),
            };
            tell(|| observer.observe(&event));
        }
        drop(self.permit.take());
    }
}

impl Tracking {
    pub(crate) fn new(transfer: Transfer, reserved: Option<Held>) -> Self {
        let usage = reserved.map_or(Usage::Unlimited, Usage::Reserved);
        Self { transfer: Arc::new(transfer), usage }
    }

    /// Ready once the use is committed: no byte leaves before.
    pub(crate) fn poll_commit(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            match &mut self.usage {
                Usage::Unlimited => return Poll::Ready(Ok(())),
                Usage::Committing(commit) => {
                    let result = ready!(commit.as_mut().poll(cx));
                    self.usage = Usage::Unlimited;
                    return Poll::Ready(result);
                }
                Usage::Reserved(_) => {
                    if let Usage::Reserved(held) = std::mem::replace(&mut self.usage, Usage::Unlimited) {
                        self.usage = Usage::Committing(held.commit());
                    }
                }
            }
        }
    }

    /// Whether the client stopped reading for longer than it may, and lost its place meanwhile.
    pub(crate) fn came_back_too_late(&self) -> bool {
        let released = || self.transfer.released.load(Ordering::Relaxed);
        self.transfer
            .permit
            .as_ref()
            .is_some_and(|permit| permit.came_back_too_late(released(), Instant::now))
    }

    /// The same bytes, counted as sent when the framework lets go of them.
    pub(crate) fn wrap(&self, chunk: Bytes) -> Bytes {
        Bytes::from_owner(Released { chunk, transfer: Arc::clone(&self.transfer) })
    }
}

impl fmt::Debug for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracking").finish_non_exhaustive()
    }
}

struct Released {
    chunk: Bytes,
    transfer: Arc<Transfer>,
}

impl AsRef<[u8]> for Released {
    fn as_ref(&self) -> &[u8] {
        &self.chunk
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        self.transfer.released.fetch_add(self.chunk.len() as u64, Ordering::Relaxed);
        if let Some(permit) = &self.transfer.permit {
            permit.progressed(Instant::now());
        }
    }
}
