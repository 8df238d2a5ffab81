//! How much each user may store. What arrives counts as if it were stored, so that uploads at the same time cannot exceed the
//! quota together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::UserId;

/// The same quota for every user.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    limit: u64,
    users: Arc<Mutex<HashMap<UserId, Usage>>>,
}

/// Of a user whose uploads arrive.
#[derive(Debug, Default)]
struct Usage {
    stored: u64,
    arriving: u64,
    uploads: usize,
}

impl Quota {
    /// Each user may store so many bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, users: Arc::default() }
    }

    /// The most bytes of a user.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Begins an upload of `user`, who stores so many bytes already.
    pub(crate) fn begin(&self, user: UserId, stored: u64) -> Share {
        let mut users = self.users();
        let usage = users.entry(user).or_default();
        usage.stored = stored;
        usage.uploads += 1;
        drop(users);
        Share { quota: self.clone(), user, taken: 0 }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Usage>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one upload takes of a quota. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    quota: Quota,
    user: UserId,
    taken: u64,
}

impl Share {
    /// Takes so many bytes more; whether they fit.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        let mut users = self.quota.users();
        let usage = users.entry(self.user).or_default();
        let fits = usage.stored.saturating_add(usage.arriving).saturating_add(bytes) <= self.quota.limit;
        if fits {
            usage.arriving += bytes;
            self.taken += bytes;
        }
        fits
    }

    /// How many bytes more fit now.
    pub(crate) fn left(&self) -> u64 {
        let users = self.quota.users();
        let used = users.get(&self.user).map_or(0, |usage| usage.stored.saturating_add(usage.arriving));
        self.quota.limit.saturating_sub(used)
    }

    /// What arrived is stored: the user stores so many bytes now.
    pub(crate) fn stored(mut self, stored: u64) {
        let mut users = self.quota.users();
        if let Some(usage) = users.get_mut(&self.user) {
            usage.stored = stored;
            usage.arriving -= self.taken;
        }
        drop(users);
        self.taken = 0;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut users = self.quota.users();
        if let Some(usage) = users.get_mut(&self.user) {
            usage.arriving -= self.taken;
            usage.uploads -= 1;
            if usage.uploads == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn uploads_at_the_same_time_share_one_quota() {
        let (_, alice, bob) = Store::for_test().await;
        let quota = Quota::new(100);
        let mut first = quota.begin(alice.id, 40);
        let mut second = quota.begin(alice.id, 40);
        assert!(first.take(30) && second.take(30));
        assert!(!first.take(1) && !second.take(1));
        assert!(quota.begin(bob.id, 0).take(100));
        drop(second);
        assert_eq!(first.left(), 30);
        first.stored(70);
        let mut third = quota.begin(alice.id, 70);
        assert!(third.take(30) && !third.take(1));
        drop(third);
        assert!(quota.users().is_empty());
    }
}
