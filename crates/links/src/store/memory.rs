//! [`MemoryLinkStore`]: links of one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

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
    links: Mutex<HashMap<LinkId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    record: Box<str>,
    left: Option<u32>,
    expires_at: u64,
    leases: HashMap<LinkId, Held>,
}

#[derive(Debug)]
struct Held {
    state: State,
    ends: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Holding,
    Spent,
    Released,
}

impl MemoryLinkStore {
    /// A store for at most so many links. A full one refuses to make more; it never forgets one that is good.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, links: Mutex::default() }
    }

    fn links(&self) -> MutexGuard<'_, HashMap<LinkId, Entry>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Takes one use, if one is left.
    fn take(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn give_back(&mut self) {
        if let Some(left) = &mut self.left {
            *left += 1;
        }
    }

    /// Ends what has ended, and takes back what was not spent.
    fn settle(&mut self, now: u64) {
        let mut back = 0;
        self.leases.retain(|_, held| {
            let lasts = now < held.ends;
            back += u32::from(!lasts && held.state == State::Holding);
            lasts
        });
        for _ in 0..back {
            self.give_back();
        }
    }

    fn is_over(&self, now: u64) -> bool {
        now >= self.expires_at && self.leases.values().all(|held| now >= held.ends)
    }

    /// The state of a lease that has not ended. With `take`, one that was released takes a use again.
    fn state(&mut self, lease: LinkId, now: u64, take: bool) -> LeaseState {
        let Some(held) = self.leases.get(&lease).filter(|held| now < held.ends) else {
            return LeaseState::Gone;
        };
        match held.state {
            State::Holding => LeaseState::Held,
            State::Spent => LeaseState::Committed,
            State::Released if self.left == Some(0) => LeaseState::Gone,
            State::Released if take => {
                self.take();
                self.set(lease, State::Holding);
                LeaseState::Held
            }
            State::Released => LeaseState::Held,
        }
    }

    fn set(&mut self, lease: LinkId, state: State) {
        if let Some(held) = self.leases.get_mut(&lease) {
            held.state = state;
        }
    }
}

#[async_trait]
impl LinkStore for MemoryLinkStore {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError> {
        let mut links = self.links();
        if links.len() >= self.most {
            // Only what nobody can use any more makes room.
            links.retain(|_, entry| !entry.is_over(now));
            if links.len() >= self.most {
                return Err(StoreError::Full);
            }
        }
        let entry = Entry {
            record: link.record.into(),
            left: link.uses,
            expires_at: link.expires_at,
            leases: HashMap::new(),
        };
        links.insert(link.id, entry);
        Ok(())
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        let mut links = self.links();
        let Some(entry) = links.get_mut(&lease.link) else { return Ok(false) };
        entry.settle(now);
        let taken = now < entry.expires_at && entry.take();
        if taken {
            entry.leases.insert(lease.lease, Held { state: State::Holding, ends });
        }
        Ok(taken)
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let mut links = self.links();
        Ok(links.get_mut(&lease.link).map_or(LeaseState::Gone, |entry| entry.state(lease.lease, now, true)))
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let mut links = self.links();
        Ok(links.get_mut(&lease.link).map_or(LeaseState::Gone, |entry| entry.state(lease.lease, now, false)))
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        let mut links = self.links();
        let Some(entry) = links.get_mut(&lease.link) else { return Ok(false) };
        let good = entry.state(lease.lease, now, true) != LeaseState::Gone;
        if good {
            entry.set(lease.lease, State::Spent);
        }
        Ok(good)
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let mut links = self.links();
        if let Some(entry) = links.get_mut(&lease.link)
            && entry.leases.get(&lease.lease).is_some_and(|held| held.state == State::Holding)
        {
            entry.set(lease.lease, State::Released);
            entry.give_back();
        }
        Ok(())
    }

    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        self.links().remove(&link);
        Ok(())
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        self.links().retain(|_, entry| *entry.record != *record);
        Ok(())
    }
}
