//! The memory store keeps the laws; each law is broken by somebody, and named.
#![cfg(feature = "links")]

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secure_download_conformance::{Broken, link_store};
use secure_download_links::{Lease, LeaseState, LinkId, LinkStore, MemoryLinkStore, StoreError, StoredLink};

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    link_store::check(Arc::new(MemoryLinkStore::new(2000))).await;
}

/// A careful store, or one that breaks a law.
struct Careless {
    fault: Fault,
    inner: MemoryLinkStore,
    /// Uses that are left, for the faults that count themselves.
    left: Mutex<HashMap<LinkId, u32>>,
    /// The record of each link, for the fault that looks for them itself.
    records: Mutex<HashMap<LinkId, String>>,
    /// The link of each lease and when it ends; those that a reservation found ended; and uses given back for these.
    leases: Mutex<HashMap<LinkId, (LinkId, u64)>>,
    settled: Mutex<HashSet<LinkId>>,
    extra: Mutex<HashMap<LinkId, u32>>,
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
    CommitsInTwoSteps,
    AcquiresInTwoSteps,
    GivesBackWhatHasEnded,
    RevokesByPrefix,
    RevokesWhateverTheCase,
    ForgetsTheLinkOfALease,
    WaitsForEver,
    WaitsForDelivery,
    TakesTwiceForOneLease,
    RefusesOneLeaseTwice,
    CountsNoIssuers,
    CountsIssuersAsOne,
    KeepsEveryLease,
    ForgetsHolders,
    RevokesTheFirst,
}

impl Careless {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            inner: MemoryLinkStore::new(2000),
            left: Mutex::default(),
            records: Mutex::default(),
            leases: Mutex::default(),
            settled: Mutex::default(),
            extra: Mutex::default(),
        }
    }

    /// What is found in a first step, and may have changed before the second.
    async fn found(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let found = self.inner.look(lease, now).await;
        tokio::task::yield_now().await;
        found
    }

    /// Whether one of the uses is taken that were given back twice, because no other was left.
    fn takes_extra(&self, lease: Lease, now: u64, taken: bool) -> bool {
        let leases = self.leases.lock().expect("not poisoned").clone();
        let ended = leases.into_iter().filter(|(_, (_, ends))| *ends <= now).map(|(lease, _)| lease);
        self.settled.lock().expect("not poisoned").extend(ended);
        let mut extra = self.extra.lock().expect("not poisoned");
        !taken && extra.get_mut(&lease.link).is_some_and(|left| std::mem::take(left) > 0)
    }

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
            Fault::CountsNoIssuers => changed.issuer_limit = u32::MAX,
            Fault::CountsIssuersAsOne if link.issuer_limit == 3 => changed.issuer = "everybody",
            _ if self.counts() => {
                if let Some(uses) = changed.uses.take() {
                    self.set(link.id, uses);
                }
            }
            _ => {}
        }
        self.records.lock().expect("not poisoned").insert(link.id, link.record.to_owned());
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
        let known = self.leases.lock().expect("not poisoned").contains_key(&lease.lease);
        match self.fault {
            Fault::RefusesOneLeaseTwice if known => return Ok(false),
            Fault::TakesTwiceForOneLease if known => {
                let other = Lease { lease: LinkId::from_bytes([9; 16]), ..lease };
                self.inner.reserve(other, ends, now).await?;
            }
            _ => {}
        }
        let taken = self.inner.reserve(lease, ends, now).await?;
        if self.fault == Fault::WaitsForEver {
            self.inner.acquire(lease, ends - 1).await?;
        }
        if taken {
            self.leases.lock().expect("not poisoned").insert(lease.lease, (lease.link, ends));
        }
        if self.fault == Fault::GivesBackWhatHasEnded {
            let extra = self.takes_extra(lease, now, taken);
            return Ok(taken || extra);
        }
        Ok(taken)
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        match self.fault {
            Fault::AcquiresInTwoSteps => {
                let found = self.found(lease, now).await?;
                self.inner.acquire(lease, now).await.map(|_| found)
            }
            Fault::WaitsForDelivery => {
                let known = self.leases.lock().expect("not poisoned").get(&lease.lease).copied();
                let last = known.map_or(now, |(_, ends)| ends - 1);
                self.inner.acquire(lease, now.max(last)).await
            }
            Fault::ForgetsTheLinkOfALease => {
                let known = self.leases.lock().expect("not poisoned").get(&lease.lease).copied();
                let link = known.map_or(lease.link, |(link, _)| link);
                self.inner.acquire(Lease { link, ..lease }, now).await
            }
            _ => self.inner.acquire(lease, now).await,
        }
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        match self.fault {
            Fault::TakesWhenLooking => self.inner.acquire(lease, now).await,
            Fault::KeepsEveryLease => Ok(match self.inner.look(lease, now).await? {
                LeaseState::Gone if self.leases.lock().expect("not poisoned").contains_key(&lease.lease) => {
                    LeaseState::Held
                }
                state => state,
            }),
            // As one that keeps the newest thousand, whatever they hold.
            Fault::ForgetsHolders if self.leases.lock().expect("not poisoned").len() > 1000 => {
                Ok(LeaseState::Gone)
            }
            _ => self.inner.look(lease, now).await,
        }
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        match self.fault {
            Fault::SpendsTheUnknown => self.inner.commit(lease, now).await.map(|_| true),
            Fault::ForgetsWhatWasSpent => {
                self.inner.look(lease, now).await.map(|state| state != LeaseState::Gone)
            }
            Fault::CommitsInTwoSteps => {
                let found = self.found(lease, now).await?;
                self.inner.commit(lease, now).await.map(|_| found != LeaseState::Gone)
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
        if self.fault == Fault::GivesBackWhatHasEnded
            && self.settled.lock().expect("not poisoned").contains(&lease.lease)
        {
            self.extra.lock().expect("not poisoned").insert(lease.link, 1);
        }
        self.inner.release(lease).await
    }

    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        if self.fault == Fault::RevokesNoLink { Ok(()) } else { self.inner.revoke(link).await }
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        let is_meant = |found: &str| match self.fault {
            Fault::RevokesByPrefix => found.starts_with(record),
            Fault::RevokesWhateverTheCase => found.eq_ignore_ascii_case(record),
            Fault::RevokesNoRecord => false,
            _ => found == record,
        };
        let records = self.records.lock().expect("not poisoned").clone();
        let most = if self.fault == Fault::RevokesTheFirst { 500 } else { usize::MAX };
        for (link, _) in records.into_iter().filter(|(_, found)| is_meant(found)).take(most) {
            self.inner.revoke(link).await?;
        }
        Ok(())
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
        (Fault::RevokesNoLink, Some("what was revoked is gone, and nothing else")),
        (Fault::RevokesNoRecord, Some("what was revoked is gone, and nothing else")),
        (Fault::TakesWhenLooking, Some("looking changes nothing")),
        (Fault::LosesRaces, Some("of a race as many win as there are uses")),
        (Fault::LosesWhatIsGivenBack, Some("uses that are spent and given back at once are counted right")),
        (Fault::CommitsInTwoSteps, Some("of holders that try again at once as many win as there are uses")),
        (Fault::AcquiresInTwoSteps, Some("of holders that try again at once as many win as there are uses")),
        (Fault::GivesBackWhatHasEnded, Some("a lease ends and gives back what it did not spend")),
        (Fault::RevokesByPrefix, Some("what was revoked is gone, and nothing else")),
        (Fault::RevokesWhateverTheCase, Some("what was revoked is gone, and nothing else")),
        (Fault::ForgetsTheLinkOfALease, Some("what is not there is spent")),
        (Fault::WaitsForEver, Some("a lease that does not come back gives its use back")),
        (Fault::WaitsForDelivery, Some("a lease that does not come back gives its use back")),
        (Fault::TakesTwiceForOneLease, Some("the same lease again is the same redemption")),
        (Fault::RefusesOneLeaseTwice, Some("the same lease again is the same redemption")),
        (Fault::CountsNoIssuers, Some("an issuer at its limit leaves room for others")),
        (Fault::CountsIssuersAsOne, Some("an issuer at its limit leaves room for others")),
        (Fault::KeepsEveryLease, Some("leases that gave their uses back do not pile up")),
        (Fault::RevokesTheFirst, Some("very many leases and links end as few do")),
        (Fault::ForgetsHolders, Some("leases that gave their uses back do not pile up")),
    ] {
        let verdict = link_store::verify(Arc::new(Careless::new(fault))).await;
        let broken: Vec<_> = verdict.as_ref().err().into_iter().flat_map(Broken::names).collect();
        match law {
            None => assert!(verdict.is_ok(), "{verdict:?}"),
            Some(law) => assert!(broken.contains(&law), "{fault:?}: {verdict:?}"),
        }
    }
}
