//! The audit hook: [`Observer`], [`Event`], [`AuditId`].

use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;

use crate::{FileKey, Reason};

/// Names one request to the gate in every event, 32 hexadecimal digits. Unique, not secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditId {
    process: u64,
    number: u64,
}

impl AuditId {
    pub(crate) fn next() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let process = *PROCESS.get_or_init(|| std::hash::RandomState::new().hash_one(0_u8));
        Self { process, number: NUMBER.fetch_add(1, Ordering::Relaxed) }
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.process, self.number)
    }
}

impl fmt::Debug for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditId({self})")
    }
}

/// How a granted delivery ended, as far as the application can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The framework took and released every byte of the body.
    Sent {
        /// Body bytes.
        bytes: u64,
    },
    /// The transfer broke off.
    Cut {
        /// Body bytes that the framework released; the client may have received fewer.
        bytes: u64,
    },
    /// A reverse proxy was told to send the file.
    HandedOff,
    /// The client was sent to a signed URL.
    Redirected,
}

/// What the gate did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request was refused.
    #[non_exhaustive]
    Refused {
        /// The request.
        audit_id: AuditId,
        /// Who asked, as the gate's subject label says.
        subject: Option<&'a str>,
        /// The id that was asked for, where the gate looked it up. A client's text: escape it.
        id: Option<&'a str>,
        /// What the client was told.
        status: StatusCode,
        /// Why.
        reason: &'a Reason,
    },
    /// A download was allowed; its end follows as [`Event::Delivered`] or [`Event::Refused`].
    #[non_exhaustive]
    Granted {
        /// The request.
        audit_id: AuditId,
        /// Who asked, as the gate's subject label says.
        subject: Option<&'a str>,
        /// The id that was asked for, where the gate looked it up.
        id: Option<&'a str>,
        /// The file.
        key: &'a FileKey,
    },
    /// A strategy gave a grant back.
    #[non_exhaustive]
    Declined {
        /// The request.
        audit_id: AuditId,
        /// The strategy.
        strategy: &'static str,
        /// Why.
        reason: &'a str,
    },
    /// A granted download is over.
    #[non_exhaustive]
    Delivered {
        /// The request.
        audit_id: AuditId,
        /// The strategy that served it.
        strategy: &'static str,
        /// How it ended.
        outcome: Outcome,
        /// From the request to the end.
        duration: Duration,
    },
}

/// Is told what the gate did. Called on the request's own task and in `drop`, so it must be quick and must not block.
///
/// Any `Fn(&Event<'_>)` is one:
///
/// ```
/// use secure_download_core::{Event, Observer};
///
/// let observer = |event: &Event<'_>| if let Event::Delivered { audit_id, outcome, .. } = event {
///     println!("{audit_id} {outcome:?}");
/// };
/// # fn check(_: impl Observer) {}
/// # check(observer);
/// ```
///
/// So is an `Arc` of one, and a pair of two: `(log, metrics)` tells both.
pub trait Observer: Send + Sync {
    /// Takes note of one event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event<'_>) {
        (**self).observe(event);
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, event: &Event<'_>) {
        self.0.observe(event);
        self.1.observe(event);
    }
}
