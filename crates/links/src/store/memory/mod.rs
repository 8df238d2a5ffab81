//! [`MemoryLinkStore`]: links of one process.

mod entry;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::entry::Entry;
use super::{Lease, LeaseState, LinkStore, StoreError, StoredLink};
use crate::LinkId;

/// Keeps links in memory, for one process. A restart forgets them, and what is forgotten is spent.
///
/// ```
/// use secure_download_links::MemoryLinkStore;
///
/// let store = MemoryLinkStore::new(100_000);
/// # let _ = store;
/// ```
#[derive(Debug)]
pub struct MemoryLinkStore {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    links: HashMap<LinkId, Entry>,
    /// Each link, by the second from which nobody can use it any more.
    by_end: BTreeSet<(u64, LinkId)>,
    /// The links of each issuer, by their ends too.
    by_issuer: HashMap<Box<str>, BTreeSet<(u64, LinkId)>>,
    /// The links of each record.
    by_record: HashMap<Box<str>, BTreeSet<LinkId>>,
}

impl MemoryLinkStore {
    /// A store for at most so many links. A full one refuses to make more; it never forgets one that is good.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// How many leases it keeps, of all links. Counts all links: for tests and metrics, not for each request.
    #[must_use]
    pub fn leases(&self) -> usize {
        self.kept().links.values().map(Entry::leases).sum()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, link: LinkId) {
        let Some(entry) = self.links.remove(&link) else { return };
        self.by_end.remove(&(entry.ends(), link));
        if let Some(links) = self.by_issuer.get_mut(entry.issuer()) {
            links.remove(&(entry.ends(), link));
            if links.is_empty() {
                self.by_issuer.remove(entry.issuer());
            }
        }
        if let Some(links) = self.by_record.get_mut(entry.record()) {
            links.remove(&link);
            if links.is_empty() {
                self.by_record.remove(entry.record());
            }
        }
    }

    /// Makes room: forgets what nobody can use any more.
    fn forget_over(&mut self, now: u64) {
        while let Some(&(ends, link)) = self.by_end.first()
            && ends <= now
        {
            self.remove(link);
        }
    }

    /// How many links of an issuer are kept.
    fn of_issuer(&self, issuer: &str) -> usize {
        self.by_issuer.get(issuer).map_or(0, BTreeSet::len)
    }
}

#[async_trait]
impl LinkStore for MemoryLinkStore {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError> {
        let mut kept = self.kept();
        kept.forget_over(now);
        if kept.links.len() >= self.most {
            return Err(StoreError::Full);
        }
        if kept.of_issuer(link.issuer) >= usize::try_from(link.issuer_limit).unwrap_or(usize::MAX) {
            return Err(StoreError::IssuerLimit);
        }
        let entry = Entry::new(&link);
        kept.by_end.insert((entry.ends(), link.id));
        kept.by_issuer.entry(link.issuer.into()).or_default().insert((entry.ends(), link.id));
        kept.by_record.entry(link.record.into()).or_default().insert(link.id);
        kept.links.insert(link.id, entry);
        Ok(())
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        let Kept { links, by_end, by_issuer, .. } = &mut *kept;
        let Some(entry) = links.get_mut(&lease.link) else { return Ok(false) };
        let before = entry.ends();
        let taken = entry.reserve(lease.lease, ends, now);
        if entry.ends() != before {
            for index in by_issuer.get_mut(entry.issuer()).into_iter().chain([by_end]) {
                index.remove(&(before, lease.link));
                index.insert((entry.ends(), lease.link));
            }
        }
        Ok(taken)
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let mut kept = self.kept();
        Ok(kept.links.get_mut(&lease.link).map_or(LeaseState::Gone, |entry| entry.acquire(lease.lease, now)))
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let kept = self.kept();
        Ok(kept.links.get(&lease.link).map_or(LeaseState::Gone, |entry| entry.look(lease.lease, now)))
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        Ok(kept.links.get_mut(&lease.link).is_some_and(|entry| entry.commit(lease.lease, now)))
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        if let Some(entry) = self.kept().links.get_mut(&lease.link) {
            entry.release(lease.lease);
        }
        Ok(())
    }

    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        self.kept().remove(link);
        Ok(())
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        let mut kept = self.kept();
        for link in kept.by_record.get(record).cloned().unwrap_or_default() {
            kept.remove(link);
        }
        Ok(())
    }
}
