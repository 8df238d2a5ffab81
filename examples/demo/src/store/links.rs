//! Links in the demo's own database: every step is one transaction.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use secure_download::links::{
    Lease, LeaseState, LinkId, LinkStore, StoreError as LinkStoreError, StoredLink,
};

use super::{Store, StoreError};

/// How much longer than good an entry is kept, in seconds.
const KEPT: i64 = 3600;

/// The links and leases in the demo's database.
#[derive(Debug)]
pub(crate) struct SqliteLinkStore {
    store: Store,
}

impl SqliteLinkStore {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    async fn step<T, F>(&self, step: F) -> Result<T, LinkStoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let done = self.store.run(move |connection| {
            let transaction = connection.transaction()?;
            let value = step(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        done.await.map_err(|error: StoreError| LinkStoreError::Unavailable(error.into()))
    }
}

fn time(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Takes a use, if the link is known and one is left.
fn take(at: &Transaction<'_>, link: LinkId) -> rusqlite::Result<bool> {
    let taken = at
        .prepare_cached(
            "UPDATE links SET uses_left = uses_left - 1 WHERE id = ? AND coalesce(uses_left, 1) > 0",
        )?
        .execute([link.as_bytes()])?;
    Ok(taken == 1)
}

fn give_back(at: &Transaction<'_>, link: LinkId, uses: usize) -> rusqlite::Result<()> {
    at.prepare_cached("UPDATE links SET uses_left = uses_left + ? WHERE id = ?")?
        .execute(params![i64::try_from(uses).unwrap_or_default(), link.as_bytes()])?;
    Ok(())
}

fn set(at: &Transaction<'_>, lease: Lease, state: &str) -> rusqlite::Result<()> {
    at.prepare_cached("UPDATE leases SET state = ? WHERE id = ?")?
        .execute(params![state, lease.lease.as_bytes()])?;
    Ok(())
}

/// The state of a lease; with `taking`, one that was released takes a use again.
fn state(at: &Transaction<'_>, lease: Lease, now: u64, taking: bool) -> rusqlite::Result<LeaseState> {
    let found = at
        .prepare_cached(
            "SELECT leases.state, coalesce(links.uses_left, 1) FROM leases JOIN links ON links.id = leases.link
             WHERE leases.id = ? AND leases.link = ? AND leases.ends > ?",
        )?
        .query_row(params![lease.lease.as_bytes(), lease.link.as_bytes(), time(now)], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let Some((state, left)) = found else { return Ok(LeaseState::Gone) };
    match state.as_str() {
        "held" => Ok(LeaseState::Held),
        "committed" => Ok(LeaseState::Committed),
        _ if left == 0 => Ok(LeaseState::Gone),
        _ => {
            if taking {
                take(at, lease.link)?;
                set(at, lease, "held")?;
            }
            Ok(LeaseState::Held)
        }
    }
}

#[async_trait]
impl LinkStore for SqliteLinkStore {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), LinkStoreError> {
        let (id, record, uses, expires) = (link.id, link.record.to_owned(), link.uses, link.expires_at);
        self.step(move |at| {
            at.execute(
                "DELETE FROM links WHERE expires < ?1
                 AND NOT EXISTS (SELECT 1 FROM leases WHERE link = links.id AND ends >= ?1)",
                [time(now) - KEPT],
            )?;
            at.execute(
                "INSERT INTO links (id, record, uses_left, expires) VALUES (?, ?, ?, ?)",
                params![id.as_bytes(), record, uses, time(expires)],
            )?;
            Ok(())
        })
        .await
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, LinkStoreError> {
        self.step(move |at| {
            let link = lease.link.as_bytes();
            let over = params![link, time(now)];
            let back = at
                .prepare_cached("DELETE FROM leases WHERE link = ? AND ends <= ? AND state = 'held'")?
                .execute(over)?;
            give_back(at, lease.link, back)?;
            at.prepare_cached("DELETE FROM leases WHERE link = ? AND ends <= ?")?.execute(over)?;
            let good: bool = at
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM links WHERE id = ? AND expires > ?)")?
                .query_row(over, |row| row.get(0))?;
            if !good || !take(at, lease.link)? {
                return Ok(false);
            }
            at.prepare_cached("INSERT INTO leases (id, link, state, ends) VALUES (?, ?, 'held', ?)")?
                .execute(params![lease.lease.as_bytes(), link, time(ends)])?;
            Ok(true)
        })
        .await
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, LinkStoreError> {
        self.step(move |at| state(at, lease, now, true)).await
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, LinkStoreError> {
        self.step(move |at| state(at, lease, now, false)).await
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, LinkStoreError> {
        self.step(move |at| {
            let good = state(at, lease, now, true)? != LeaseState::Gone;
            if good {
                set(at, lease, "committed")?;
            }
            Ok(good)
        })
        .await
    }

    async fn release(&self, lease: Lease) -> Result<(), LinkStoreError> {
        self.step(move |at| {
            let released = at
                .prepare_cached(
                    "UPDATE leases SET state = 'released' WHERE id = ? AND link = ? AND state = 'held'",
                )?
                .execute(params![lease.lease.as_bytes(), lease.link.as_bytes()])?;
            give_back(at, lease.link, released)
        })
        .await
    }

    async fn revoke(&self, link: LinkId) -> Result<(), LinkStoreError> {
        self.step(move |at| at.execute("DELETE FROM links WHERE id = ?", [link.as_bytes()])).await?;
        Ok(())
    }

    async fn revoke_record(&self, record: &str) -> Result<(), LinkStoreError> {
        let record = record.to_owned();
        self.step(move |at| at.execute("DELETE FROM links WHERE record = ?", [record])).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_database_keeps_the_laws_of_a_link_store() {
        let (store, ..) = Store::for_test().await;
        secure_download_conformance::link_store::check(Arc::new(SqliteLinkStore::new(store))).await;
    }
}
