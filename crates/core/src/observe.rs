//! The audit hook: [`Observer`], [`Event`], [`AuditId`].

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode};

use crate::{BoxError, FileKey, Reason};

/// Names one request to the gate in every event, 32 hexadecimal digits. Unique, not secret; two of them do not tell how
/// many requests there were between.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditId(u64);

impl AuditId {
    pub(crate) fn next() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self(NUMBER.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SipHash under a key of this process (https://doc.rust-lang.org/std/hash/struct.RandomState.html): clients may see
        // ids, in signed URLs and behind some proxies.
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let key = KEY.get_or_init(RandomState::new);
        write!(f, "{:016x}{:016x}", key.hash_one((0_u8, self.0)), key.hash_one((1_u8, self.0)))
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
        /// What the client was told; 499, as nginx has it, with [`Reason::GoneAway`].
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
        /// GET or HEAD.
        method: &'a Method,
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
        /// What the client was told, by which a 304 and a file that is empty differ; `None` if the request went away first.
        status: Option<StatusCode>,
        /// How it ended.
        outcome: Outcome,
        /// From the request to the end.
        duration: Duration,
    },
}

/// Is told what the gate did. Called on the request's own task and in `drop`, so it must be quick and must not block. A
/// panic in it is caught and costs that event; the download goes on.
///
/// Any `Fn(&Event<'_>)` is one:
///
/// ```
/// use std::io::Write as _;
///
/// use secure_download_core::{Event, Observer};
///
/// let observer = |event: &Event<'_>| if let Event::Delivered { audit_id, outcome, .. } = event {
///     let _ = writeln!(std::io::stdout(), "{audit_id} {outcome:?}");
/// };
/// # fn check(_: impl Observer) {}
/// # check(observer);
/// ```
///
/// So is an `Arc` of one, and a pair of two: `(log, metrics)` tells both.
pub trait Observer: Send + Sync {
    /// Takes note of one event.
    fn observe(&self, event: &Event<'_>);

    /// Can this observer take note of a download now? The gate asks right before each [`Event::Granted`], after the
    /// authorizer allowed the download. An observer without which nothing may be downloaded answers with an error here;
    /// other observers keep this default.
    ///
    /// # Errors
    /// Why not, for the log. The gate refuses the download with 503, `Retry-After` and [`Reason::Observer`]; a panic is
    /// an error too.
    fn ready(&self) -> Result<(), BoxError> {
        Ok(())
    }
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

    fn ready(&self) -> Result<(), BoxError> {
        (**self).ready()
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, event: &Event<'_>) {
        self.0.observe(event);
        self.1.observe(event);
    }

    fn ready(&self) -> Result<(), BoxError> {
        self.0.ready()?;
        self.1.ready()
    }
}

/// Asks an observer. One that panics takes note of nothing.
pub(crate) fn ready(observer: &dyn Observer) -> Result<(), BoxError> {
    catch_unwind(AssertUnwindSafe(|| observer.ready()))
        .unwrap_or_else(|_| Err("the observer panicked".into()))
}

/// Runs what tells an observer. Some of it runs in `drop`, where a second panic would end the process.
pub(crate) fn tell(told: impl FnOnce()) {
    // The panic itself was told by the panic hook.
    let _ = catch_unwind(AssertUnwindSafe(told));
}
