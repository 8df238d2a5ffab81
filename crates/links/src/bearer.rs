//! [`LinkBearer`]: somebody with a redeemed link, as the subject of a gate.

use async_trait::async_trait;
use secure_download_core::{Availability, BoxError, Reservation, UsageLimit, Use};

use crate::claims::LinkClaims;
use crate::links::{Links, Unheard};
use crate::store::{Lease, LeaseState};

/// Who asks, when a client came with a link: not a user, but the holder of a lease. From [`Links::bearer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBearer {
    pub(crate) claims: LinkClaims,
    /// All leases of the link that the client sent, never none. The store knows which are good.
    pub(crate) leases: Vec<Lease>,
}

impl LinkBearer {
    /// What the link says.
    #[must_use]
    pub fn claims(&self) -> &LinkClaims {
        &self.claims
    }
}

/// Counts uses: give a clone of the same [`Links`] to the gate's
/// [`usage_limit`](secure_download_core::GateBuilder::usage_limit).
///
/// A use is spent when the first byte, the hand-off or the redirect leaves. When delivery fails before that, the use is
/// given back at once, and the same client may try again while its lease lasts. What resumes a download that has begun is
/// part of the same use. A gate that is not told to count spends nothing: every use is left again when its lease ends.
#[async_trait]
impl<R: Sync + ?Sized> UsageLimit<Option<LinkBearer>, R> for Links {
    async fn reserve(&self, subject: &Option<LinkBearer>, _: &R) -> Result<Use, BoxError> {
        let Some(bearer) = subject else { return Ok(Use::Spent) };
        for &lease in &bearer.leases {
            // A lease whose use is spent loses nothing if this is given back.
            let unheard = Unheard::new(self, lease);
            let state = self.store.acquire(lease, self.now()).await?;
            unheard.heard();
            if state != LeaseState::Gone {
                let spent = state == LeaseState::Committed;
                return Ok(Use::Reserved(Box::new(LeasedUse { links: self.clone(), lease, spent })));
            }
        }
        Ok(Use::Spent)
    }

    async fn look(&self, subject: &Option<LinkBearer>, _: &R) -> Result<Availability, BoxError> {
        let Some(bearer) = subject else { return Ok(Availability::Spent) };
        for &lease in &bearer.leases {
            if self.store.look(lease, self.now()).await? != LeaseState::Gone {
                return Ok(Availability::Limited);
            }
        }
        Ok(Availability::Spent)
    }
}

/// The use that a lease holds.
struct LeasedUse {
    links: Links,
    lease: Lease,
    /// The download has begun before: there is nothing more to spend.
    spent: bool,
}

#[async_trait]
impl Reservation for LeasedUse {
    async fn commit(self: Box<Self>) -> Result<(), BoxError> {
        if self.spent || self.links.store.commit(self.lease, self.links.now()).await? {
            Ok(())
        } else {
            Err("the lease has ended".into())
        }
    }

    fn release(self: Box<Self>) {
        if !self.spent {
            self.links.give_back(self.lease);
        }
    }
}
