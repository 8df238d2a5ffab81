//! One link in memory, with its leases.

use std::collections::{BTreeSet, HashMap};

use super::super::{BATCH, CLAIM_SECONDS, LeaseState, RETURNED_LEASES, StoredLink};
use crate::LinkId;

/// A link, what is left of it and who holds it. No step walks over more than [`BATCH`] leases.
#[derive(Debug)]
pub(super) struct Entry {
    record: Box<str>,
    issuer: Box<str>,
    left: Option<u32>,
    expires_at: u64,
    /// The latest end of a lease so far.
    leased_until: u64,
    leases: HashMap<LinkId, Held>,
    /// Each lease, by the second at which its use comes back or it ends.
    due: BTreeSet<(u64, LinkId)>,
    /// The leases that gave their uses back, by their ends.
    returned: BTreeSet<(u64, LinkId)>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    state: State,
    ends: u64,
    due: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It holds a use, and no request has come with it yet.
    Unclaimed,
    Holding,
    Spent,
    Returned,
}

impl Entry {
    pub(super) fn new(link: &StoredLink<'_>) -> Self {
        Self {
            record: link.record.into(),
            issuer: link.issuer.into(),
            left: link.uses,
            expires_at: link.expires_at,
            leased_until: 0,
            leases: HashMap::new(),
            due: BTreeSet::new(),
            returned: BTreeSet::new(),
        }
    }

    pub(super) fn record(&self) -> &str {
        &self.record
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// From this second on neither the link nor a lease of it is good.
    pub(super) fn ends(&self) -> u64 {
        self.expires_at.max(self.leased_until)
    }

    pub(super) fn leases(&self) -> usize {
        self.leases.len()
    }

    /// `None` if no use is left yet and more leases are to be settled: in another step.
    pub(super) fn reserve(&mut self, lease: LinkId, ends: u64, now: u64) -> Option<bool> {
        if self.leases.get(&lease).is_some_and(|held| held.due <= now) {
            self.settle(lease, now);
        }
        self.settle_some(now);
        if self.leases.get(&lease).is_some_and(|held| held.state != State::Returned) {
            return Some(true);
        }
        if now >= self.expires_at {
            return Some(false);
        }
        if !self.take() {
            let more = self.due.first().is_some_and(|(due, _)| *due <= now);
            return if more { None } else { Some(false) };
        }
        self.leased_until = self.leased_until.max(ends);
        if self.left.is_some() {
            let due = ends.min(now.saturating_add(CLAIM_SECONDS));
            self.put(lease, Held { state: State::Unclaimed, ends, due });
        }
        Some(true)
    }

    pub(super) fn acquire(&mut self, lease: LinkId, now: u64) -> LeaseState {
        let found = self.look(lease, now);
        if found == LeaseState::Held {
            self.claim(lease, State::Holding, now.saturating_add(CLAIM_SECONDS));
        }
        found
    }

    pub(super) fn look(&self, lease: LinkId, now: u64) -> LeaseState {
        if self.left.is_none() {
            return if now < self.leased_until { LeaseState::Held } else { LeaseState::Gone };
        }
        match self.leases.get(&lease) {
            Some(held) if now >= held.ends => LeaseState::Gone,
            None => LeaseState::Gone,
            Some(held) => match held.state {
                State::Unclaimed | State::Holding => LeaseState::Held,
                State::Spent => LeaseState::Committed,
                State::Returned if self.left == Some(0) => LeaseState::Gone,
                State::Returned => LeaseState::Held,
            },
        }
    }

    pub(super) fn commit(&mut self, lease: LinkId, now: u64) -> bool {
        let found = self.look(lease, now);
        if found == LeaseState::Held {
            self.claim(lease, State::Spent, u64::MAX);
        }
        found != LeaseState::Gone
    }

    pub(super) fn release(&mut self, lease: LinkId) {
        if let Some(held) = self.leases.get(&lease).copied()
            && matches!(held.state, State::Unclaimed | State::Holding)
        {
            self.give_back();
            self.put(lease, Held { state: State::Returned, due: held.ends, ..held });
        }
    }

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

    /// Its holder came: it keeps its use until then, or until its end. One that was given back takes one again.
    fn claim(&mut self, lease: LinkId, state: State, until: u64) {
        let Some(held) = self.leases.get(&lease).copied() else { return };
        let due = held.ends.min(until);
        if held.state != State::Returned {
            self.put(lease, Held { state, due: held.due.max(due), ..held });
        } else if self.take() {
            self.put(lease, Held { state, due, ..held });
        }
    }

    /// Ends some of what has ended, and takes back what was not spent.
    fn settle_some(&mut self, now: u64) {
        for _ in 0..BATCH {
            match self.due.first() {
                Some(&(due, lease)) if due <= now => self.settle(lease, now),
                _ => return,
            }
        }
    }

    /// Ends one lease that is due.
    fn settle(&mut self, lease: LinkId, now: u64) {
        let Some(held) = self.leases.get(&lease).copied() else { return };
        if matches!(held.state, State::Unclaimed | State::Holding) {
            self.give_back();
        }
        if now < held.ends {
            self.put(lease, Held { state: State::Returned, due: held.ends, ..held });
        } else {
            self.drop(lease);
        }
    }

    fn put(&mut self, lease: LinkId, held: Held) {
        self.drop(lease);
        self.due.insert((held.due, lease));
        self.leases.insert(lease, held);
        if held.state == State::Returned {
            self.returned.insert((held.ends, lease));
            if self.returned.len() > RETURNED_LEASES
                && let Some(&(_, first)) = self.returned.first()
            {
                self.drop(first);
            }
        }
    }

    fn drop(&mut self, lease: LinkId) {
        if let Some(held) = self.leases.remove(&lease) {
            self.due.remove(&(held.due, lease));
            self.returned.remove(&(held.ends, lease));
        }
    }
}
