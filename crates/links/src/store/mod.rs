//! [`LinkStore`]: how many uses are left of each link.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::sync::Arc;

use async_trait::async_trait;
use secure_download_core::BoxError;

pub use self::memory::MemoryLinkStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisLinkStore;
use crate::LinkId;

/// A lease gives its use back so many seconds after [`LinkStore::reserve`], or after the latest [`LinkStore::acquire`], unless
/// [`LinkStore::commit`] has spent it.
pub const CLAIM_SECONDS: u64 = 60;

/// A store keeps at least so many of the leases of one link that gave their uses back.
pub const RETURNED_LEASES: usize = 32;

/// A store forgets a link so many seconds after its end, or earlier. Its end is its expiry, or the end of its latest lease if that is
/// later.
pub const KEPT_SECONDS: u64 = 300;

/// A store settles, forgets or revokes so many leases or links in one step at most. What more there is to do is another step, and
/// other requests come between.
pub(crate) const BATCH: usize = 256;

/// A link to be remembered.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StoredLink<'a> {
    /// Names it.
    pub id: LinkId,
    /// The record that it opens, for [`LinkStore::revoke_record`].
    pub record: &'a str,
    /// How often it may be redeemed; as often as one likes if `None`.
    pub uses: Option<u32>,
    /// From this second on it cannot be redeemed, since 1970.
    pub expires_at: u64,
    /// The issuer, as the application named it; empty if it did not.
    pub issuer: &'a str,
    /// The most links of this issuer that the store keeps at one time. A link counts until the store forgets it.
    pub issuer_limit: u32,
}

impl<'a> StoredLink<'a> {
    /// A link without an issuer, and without a limit for it. `expires_at` is in seconds since 1970.
    #[must_use]
    pub fn new(id: LinkId, record: &'a str, uses: Option<u32>, expires_at: u64) -> Self {
        Self { id, record, uses, expires_at, issuer: "", issuer_limit: u32::MAX }
    }

    /// Names the issuer, which may have at most `limit` links at one time.
    #[must_use]
    pub fn issued_by(mut self, issuer: &'a str, limit: u32) -> Self {
        self.issuer = issuer;
        self.issuer_limit = limit;
        self
    }
}

/// What a link's holder has: one redeemed use for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The link that was redeemed.
    pub link: LinkId,
    /// Names this redemption.
    pub lease: LinkId,
}

impl Lease {
    /// Of no link: to ask whether a store answers.
    pub(crate) const NONE: Self =
        Self { link: LinkId::from_bytes([0; 16]), lease: LinkId::from_bytes([0; 16]) };
}

/// What became of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It holds a use, and nothing was delivered yet. Leases of links without a number of uses stay so.
    Held,
    /// Its use is spent: the file was delivered, in part at least, and may be resumed.
    Committed,
    /// It ended, or was revoked, or gave its use back and no other is left.
    Gone,
}

/// Remembers links. Every redemption is one atomic step: of any number of simultaneous redemptions, over any number of
/// processes, exactly as many succeed as there are uses.
///
/// A link that the store does not know counts as spent. So a store that forgets, however it comes to that, never
/// lets anybody in. `now` and all other times are whole seconds since 1970.
///
/// - A link can be redeemed while `now < expires_at`, a lease is good while `now < ends`. A lease may outlast its link.
/// - `now` may step back from one call to the next. So whether a lease has ended is told from the `now` of each call:
///   [`acquire`](LinkStore::acquire), [`look`](LinkStore::look) and [`commit`](LinkStore::commit) neither end nor forget one.
///   [`reserve`](LinkStore::reserve) does.
/// - A lease that `commit` has not seen [`CLAIM_SECONDS`] after its `reserve`, or after its latest `acquire`, counts as released: its
///   use is left again for the next `reserve`. So a client that keeps no cookie blocks a use for a minute at most, and so does an
///   `acquire` whose answer was lost, or that reaches the store after the `release` for it. A later `commit` takes the use
///   again, if one is left.
/// - A link is forgotten once it has expired and the last of its leases has ended, [`KEPT_SECONDS`] later at the latest. Until the
///   store forgets it, it counts as one of its issuer's.
/// - A link without a number of uses needs no leases: the signed cookie says when each ends. The store keeps the link until the
///   latest end that `reserve` was given. Until then every lease of it is [`LeaseState::Held`].
/// - Of the leases of one link that gave their uses back the store keeps a bounded number, the [`RETURNED_LEASES`] that end
///   last or more. So each step takes as long after 20,000 redemptions as after 200. Where very many leases end at once, a store
///   ends some hundred with each `reserve`, and more only while no use is left, in steps that let other requests between. A lease that
///   holds a use, or has spent
///   it, is never forgotten before its end.
///
/// `secure_download_conformance::link_store::check` (feature `links`) tries a store of your own; the guide on one-time links
/// shows how.
///
/// | | holds a use | spends it |
/// |---|---|---|
/// | [`reserve`](LinkStore::reserve) | if one is left | |
/// | [`acquire`](LinkStore::acquire) | for [`CLAIM_SECONDS`] more; again, after a failed delivery | |
/// | [`commit`](LinkStore::commit) | | for good |
/// | [`release`](LinkStore::release) | gives it back, unless it is spent | |
/// | [`CLAIM_SECONDS`] without `acquire` or `commit` | gives it back, unless it is spent | |
/// | the end of a lease | gives it back, unless it is spent | |
#[async_trait]
pub trait LinkStore: Send + Sync {
    /// Remembers a new link, with all its uses.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room: a store never forgets one link for another. [`StoreError::IssuerLimit`] if
    /// the store keeps [`StoredLink::issuer_limit`] links of this issuer: a redeemed link counts until its leases have ended.
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError>;

    /// Redeems: takes one use for a new lease that lasts until `ends`. `false` if none is left, or `now` has reached the
    /// link's expiry. Uses of leases that ended without a delivery are left again.
    ///
    /// The same lease again is the same redemption: `true` without another use while it holds or has spent one. A lease that
    /// gave its use back takes one again, if one is left. So a caller whose answer was lost may ask again.
    ///
    /// # Errors
    /// An error lets nobody in.
    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError>;

    /// Whether this lease may download now. One that was released holds a use again, if one is left; else it is
    /// [`LeaseState::Gone`]. One that holds a use holds it for [`CLAIM_SECONDS`] from `now`, and never shorter than before.
    ///
    /// # Errors
    /// An error lets nobody in.
    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError>;

    /// As [`LinkStore::acquire`], and changes nothing.
    ///
    /// # Errors
    /// An error lets nobody in.
    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError>;

    /// Spends the lease's use. Once it is spent, again is no change. A lease that was released takes a use again and spends
    /// it. `false` if the lease is gone, or was released and none is left.
    ///
    /// # Errors
    /// On an error nothing is delivered.
    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError>;

    /// Gives the lease's use back, unless it is spent. Again, or for a lease or link that is not there, is no change and no
    /// error.
    ///
    /// # Errors
    /// On an error the use comes back by [`CLAIM_SECONDS`].
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;

    /// Ends a link and all its leases.
    ///
    /// # Errors
    /// On an error the link may still be good.
    async fn revoke(&self, link: LinkId) -> Result<(), StoreError>;

    /// Ends all links of a record and their leases. It may take several steps, where a record has very many links.
    ///
    /// # Errors
    /// On an error some of the links may still be good.
    async fn revoke_record(&self, record: &str) -> Result<(), StoreError>;
}

#[async_trait]
impl<T: LinkStore + ?Sized> LinkStore for Arc<T> {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError> {
        (**self).mint(link, now).await
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        (**self).reserve(lease, ends, now).await
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        (**self).acquire(lease, now).await
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        (**self).look(lease, now).await
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        (**self).commit(lease, now).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        (**self).release(lease).await
    }

    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        (**self).revoke(link).await
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        (**self).revoke_record(record).await
    }
}

/// Why a store did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room for another link. Make room, or let links expire.
    #[error("the link store is full")]
    Full,
    /// The issuer has as many links as it may have. Revoke some, or let them expire.
    #[error("the issuer has as many links as it may have: revoke some, or let them expire")]
    IssuerLimit,
    /// The store cannot be reached, or failed.
    #[error("the link store is unavailable")]
    Unavailable(#[source] BoxError),
}
