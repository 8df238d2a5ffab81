//! Grants with limited uses: reserved when granted, committed when something left, returned when nothing did.

use std::sync::Arc;

use async_trait::async_trait;

use crate::BoxError;

/// Limits how often a record may be downloaded. The gate reserves on every granted GET, never on HEAD.
///
/// ```
/// use async_trait::async_trait;
/// use secure_download_core::{Availability, BoxError, Download, Reservation, UsageLimit, Use};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// /// So many downloads in all, of whatever file.
/// struct Quota(Arc<AtomicU32>);
/// struct Taken(Arc<AtomicU32>);
///
/// #[async_trait]
/// impl<S: Sync> UsageLimit<S, Download> for Quota {
///     async fn reserve(&self, _: &S, _: &Download) -> Result<Use, BoxError> {
///         let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
///         Ok(match taken {
///             Ok(_) => Use::Reserved(Box::new(Taken(Arc::clone(&self.0)))),
///             Err(_) => Use::Spent,
///         })
///     }
///
///     async fn look(&self, _: &S, _: &Download) -> Result<Availability, BoxError> {
///         Ok(if self.0.load(Ordering::Acquire) > 0 { Availability::Limited } else { Availability::Spent })
///     }
/// }
///
/// #[async_trait]
/// impl Reservation for Taken {
///     async fn commit(self: Box<Self>) -> Result<(), BoxError> {
///         Ok(())
///     }
///
///     fn release(self: Box<Self>) {
///         self.0.fetch_add(1, Ordering::AcqRel);
///     }
/// }
/// ```
#[async_trait]
pub trait UsageLimit<S: ?Sized, R: ?Sized>: Send + Sync {
    /// Sets one use aside for this subject and record, atomically.
    ///
    /// # Errors
    /// An error refuses the download with 503; it never grants.
    async fn reserve(&self, subject: &S, record: &R) -> Result<Use, BoxError>;

    /// What a GET would find, with nothing set aside. Asked on HEAD, which spends nothing, yet must neither tell of a
    /// record whose uses are spent nor be answered with a URL that can be replayed.
    ///
    /// # Errors
    /// An error refuses the request with 503.
    async fn look(&self, subject: &S, record: &R) -> Result<Availability, BoxError>;
}

#[async_trait]
impl<S, R, L> UsageLimit<S, R> for Arc<L>
where
    S: Sync + ?Sized,
    R: Sync + ?Sized,
    L: UsageLimit<S, R> + ?Sized,
{
    async fn reserve(&self, subject: &S, record: &R) -> Result<Use, BoxError> {
        (**self).reserve(subject, record).await
    }

    async fn look(&self, subject: &S, record: &R) -> Result<Availability, BoxError> {
        (**self).look(subject, record).await
    }
}

/// What [`UsageLimit::look`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// This record is not limited for this subject.
    Unlimited,
    /// A use is left.
    Limited,
    /// No use is left: refused like a denied record.
    Spent,
}

/// What [`UsageLimit::reserve`] found.
pub enum Use {
    /// This record is not limited for this subject.
    Unlimited,
    /// One use is set aside.
    Reserved(Box<dyn Reservation>),
    /// No use is left: refused like a denied record.
    Spent,
}

impl std::fmt::Debug for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unlimited => "Unlimited",
            Self::Reserved(_) => "Reserved",
            Self::Spent => "Spent",
        })
    }
}

/// One use that is set aside. Exactly one of its methods is called.
#[async_trait]
pub trait Reservation: Send + 'static {
    /// Spends the use. Awaited before the first byte, the hand-off or the redirect leaves.
    ///
    /// # Errors
    /// On an error nothing is sent. The use counts as spent, for the commit may have got through.
    async fn commit(self: Box<Self>) -> Result<(), BoxError>;

    /// Returns the use, because nothing left. Called from `drop`, so it must not block: an implementation with
    /// I/O to do hands it to a task.
    fn release(self: Box<Self>);
}
