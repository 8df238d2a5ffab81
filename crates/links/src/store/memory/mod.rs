//! [`MemoryLinkStore`]: links of one process.

mod entry;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::entry::Entry;
use super::{BATCH, Lease, LeaseState, LinkStore, StoreError, StoredLink};
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
    /// Takes a link out. Its caller drops what is returned, with all its leases, when others may go on.
    fn remove(&mut self, link: LinkId) -> Option<Entry> {
        let entry = self.links.remove(&link)?;
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
        Some(entry)
    }

    /// Makes room: takes out some of what nobody can use any more, beginning with those of the issuer.
    fn over(&mut self, issuer: &str, now: u64) -> Vec<Entry> {
        let is_over = |(ends, _): &&(u64, LinkId)| *ends <= now;
        let of_issuer = self.by_issuer.get(issuer).into_iter().flatten().take_while(is_over);
        let over = of_issuer.chain(self.by_end.iter().take_while(is_over));
        let over: Vec<_> = over.take(BATCH).map(|(_, link)| *link).collect();
        over.into_iter().filter_map(|link| self.remove(link)).collect()
    }

    /// With what it took out to make room.
    fn mint(&mut self, link: &StoredLink<'_>, most: usize, now: u64) -> (Vec<Entry>, Result<(), StoreError>) {
        let over = self.over(link.issuer, now);
        if self.links.len() >= most {
            return (over, Err(StoreError::Full));
        }
        if self.of_issuer(link.issuer) >= usize::try_from(link.issuer_limit).unwrap_or(usize::MAX) {
            return (over, Err(StoreError::IssuerLimit));
        }
        let entry = Entry::new(link);
        self.by_end.insert((entry.ends(), link.id));
        self.by_issuer.entry(link.issuer.into()).or_default().insert((entry.ends(), link.id));
        self.by_record.entry(link.record.into()).or_default().insert(link.id);
        self.links.insert(link.id, entry);
        (over, Ok(()))
    }

    /// As [`Entry::reserve`].
    fn reserve(&mut self, lease: Lease, ends: u64, now: u64) -> Option<bool> {
        let Self { links, by_end, by_issuer, .. } = self;
        let Some(entry) = links.get_mut(&lease.link) else { return Some(false) };
        let before = entry.ends();
        let taken = entry.reserve(lease.lease, ends, now);
        if entry.ends() != before {
            for index in by_issuer.get_mut(entry.issuer()).into_iter().chain([by_end]) {
                index.remove(&(before, lease.link));
                index.insert((entry.ends(), lease.link));
            }
        }
        taken
    }

    /// Takes out some links of a record.
    fn of_record(&mut self, record: &str) -> Vec<Entry> {
        let links = self.by_record.get(record).into_iter().flatten();
        let links: Vec<_> = links.take(BATCH).copied().collect();
        links.into_iter().filter_map(|link| self.remove(link)).collect()
    }

    /// How many links of an issuer are kept.
    fn of_issuer(&self, issuer: &str) -> usize {
        self.by_issuer.get(issuer).map_or(0, BTreeSet::len)
    }
}

#[async_trait]
impl LinkStore for MemoryLinkStore {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError> {
        loop {
            let (over, made) = self.kept().mint(&link, self.most, now);
            if made.is_ok() || over.is_empty() {
                return made;
            }
            drop(over);
            tokio::task::yield_now().await;
        }
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        loop {
            if let Some(taken) = self.kept().reserve(lease, ends, now) {
                return Ok(taken);
            }
            tokio::task::yield_now().await;
        }
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
        let revoked = self.kept().remove(link);
        drop(revoked);
        Ok(())
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        loop {
            let revoked = self.kept().of_record(record);
            if revoked.len() < BATCH {
                return Ok(());
            }
            drop(revoked);
            tokio::task::yield_now().await;
        }
    }
}
