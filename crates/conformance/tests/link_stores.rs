//! The memory store keeps the laws; each law is broken by somebody, and named.
#![cfg(feature = "links")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secure_download_conformance::{Broken, link_store};
use secure_download_links::{Lease, LeaseState, LinkId, LinkStore, MemoryLinkStore, StoreError, StoredLink};

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    link_store::check(Arc::new(MemoryLinkStore::new(1000))).await;
}

/// A careful store, or one that breaks a law.
struct Careless {
    fault: Fault,
    inner: MemoryLinkStore,
    /// Uses that are left, for the faults that count themselves.
    left: Mutex<HashMap<LinkId, u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    GivesOneMore,
    EndsASecondLate,
    SpendsTheUnknown,
    ReleasesNothing,
    ForgetsWhatWasSpent,
    KeepsLeasesTooLong,
    RevokesNoLink,
    RevokesNoRecord,
    TakesWhenLooking,
    LosesRaces,
    LosesWhatIsGivenBack,
}

impl Careless {
    fn counts(&self) -> bool {
        matches!(self.fault, Fault::LosesRaces | Fault::LosesWhatIsGivenBack)
    }

    fn left(&self, link: LinkId) -> Option<u32> {
        self.left.lock().expect("not poisoned").get(&link).copied()
    }

    fn set(&self, link: LinkId, left: u32) {
        self.left.lock().expect("not poisoned").insert(link, left);
    }
}

#[async_trait]
impl LinkStore for Careless {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError> {
        let mut changed = link;
        match self.fault {
            Fault::GivesOneMore => changed.uses = link.uses.map(|uses| uses + 1),
            Fault::EndsASecondLate => changed.expires_at += 1,
            _ if self.counts() => {
                if let Some(uses) = changed.uses.take() {
                    self.set(link.id, uses);
                }
            }
            _ => {}
        }
        self.inner.mint(changed, now).await
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        if let Some(left) = self.left(lease.link) {
            if left == 0 {
                return Ok(false);
            }
            if self.fault == Fault::LosesRaces {
                tokio::task::yield_now().await;
            }
            self.set(lease.link, left - 1);
        }
        let ends = if self.fault == Fault::KeepsLeasesTooLong { ends + 1 } else { ends };
        self.inner.reserve(lease, ends, now).await
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        self.inner.acquire(lease, now).await
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        match self.fault {
            Fault::TakesWhenLooking => self.inner.acquire(lease, now).await,
            _ => self.inner.look(lease, now).await,
        }
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        match self.fault {
            Fault::SpendsTheUnknown => self.inner.commit(lease, now).await.map(|_| true),
            Fault::ForgetsWhatWasSpent => {
                self.inner.look(lease, now).await.map(|state| state != LeaseState::Gone)
            }
            _ => self.inner.commit(lease, now).await,
        }
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        if self.fault == Fault::ReleasesNothing {
            return Ok(());
        }
        if let Some(left) = self.left(lease.link) {
            tokio::task::yield_now().await;
            self.set(lease.link, left + 1);
        }
        self.inner.release(lease).await
    }

    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        if self.fault == Fault::RevokesNoLink { Ok(()) } else { self.inner.revoke(link).await }
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        if self.fault == Fault::RevokesNoRecord { Ok(()) } else { self.inner.revoke_record(record).await }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_law_is_broken_by_somebody() {
    for (fault, law) in [
        (Fault::None, None),
        (Fault::GivesOneMore, Some("a link is good for as many uses as it has")),
        (Fault::EndsASecondLate, Some("a link ends at its second")),
        (Fault::SpendsTheUnknown, Some("what is not there is spent")),
        (Fault::ReleasesNothing, Some("what was released is left again, once")),
        (Fault::ForgetsWhatWasSpent, Some("what was spent stays spent")),
        (Fault::KeepsLeasesTooLong, Some("a lease ends and gives back what it did not spend")),
        (Fault::RevokesNoLink, Some("what was revoked is gone")),
        (Fault::RevokesNoRecord, Some("what was revoked is gone")),
        (Fault::TakesWhenLooking, Some("looking changes nothing")),
        (Fault::LosesRaces, Some("of a race as many win as there are uses")),
        (Fault::LosesWhatIsGivenBack, Some("uses that are spent and given back at once are counted right")),
    ] {
        let inner = MemoryLinkStore::new(1000);
        let verdict = link_store::verify(Arc::new(Careless { fault, inner, left: Mutex::default() })).await;
        let broken: Vec<_> = verdict.as_ref().err().into_iter().flat_map(Broken::names).collect();
        match law {
            None => assert!(verdict.is_ok(), "{verdict:?}"),
            Some(law) => assert!(broken.contains(&law), "{fault:?}: {verdict:?}"),
        }
    }
}
