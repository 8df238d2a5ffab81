//! Links in the demo's own database: every step is one transaction.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use secure_download::links::{
    CLAIM_SECONDS, KEPT_SECONDS, Lease, LeaseState, LinkId, LinkStore, RETURNED_LEASES,
    StoreError as LinkStoreError, StoredLink,
};

use super::{Store, StoreError};

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

/// A link that is redeemed: how many uses are left, and its expiry.
struct Found {
    left: Option<i64>,
    expires: i64,
    leased_until: i64,
}

fn find(at: &Transaction<'_>, link: LinkId) -> rusqlite::Result<Option<Found>> {
    at.prepare_cached("SELECT uses_left, expires, leased_until FROM links WHERE id = ?")?
        .query_row([link.as_bytes()], |row| {
            Ok(Found { left: row.get(0)?, expires: row.get(1)?, leased_until: row.get(2)? })
        })
        .optional()
}

/// Takes a use of a counted link, if one is left.
fn take(at: &Transaction<'_>, link: LinkId) -> rusqlite::Result<bool> {
    let taken = at
        .prepare_cached("UPDATE links SET uses_left = uses_left - 1 WHERE id = ? AND uses_left > 0")?
        .execute([link.as_bytes()])?;
    Ok(taken == 1)
}

fn give_back(at: &Transaction<'_>, link: LinkId, uses: i64) -> rusqlite::Result<()> {
    at.prepare_cached("UPDATE links SET uses_left = uses_left + ? WHERE id = ?")?
        .execute(params![uses, link.as_bytes()])?;
    Ok(())
}

/// A lease holds its use until then, and never shorter than before; a spent one until its end.
fn set(at: &Transaction<'_>, lease: Lease, state: &str, until: i64) -> rusqlite::Result<()> {
    at.prepare_cached(
        "UPDATE leases SET state = ?1,
            due = min(ends, iif(?1 = 'committed', ends, iif(state = 'released', ?2, max(due, ?2))))
         WHERE id = ?3",
    )?
    .execute(params![state, until, lease.lease.as_bytes()])?;
    Ok(())
}

/// The state of a lease that has not ended.
fn state(at: &Transaction<'_>, lease: Lease, now: i64) -> rusqlite::Result<Option<String>> {
    at.prepare_cached("SELECT state FROM leases WHERE id = ? AND link = ? AND ends > ?")?
        .query_row(params![lease.lease.as_bytes(), lease.link.as_bytes(), now], |row| row.get(0))
        .optional()
}

/// What became of a lease. One that could hold a use becomes `claimed`.
fn visit(
    at: &Transaction<'_>,
    lease: Lease,
    now: i64,
    claimed: Option<&str>,
) -> rusqlite::Result<LeaseState> {
    let Some(link) = find(at, lease.link)? else { return Ok(LeaseState::Gone) };
    let Some(left) = link.left else {
        // The signed cookie is all there is of such a lease.
        return Ok(if now < link.leased_until { LeaseState::Held } else { LeaseState::Gone });
    };
    let Some(state) = state(at, lease, now)? else { return Ok(LeaseState::Gone) };
    match state.as_str() {
        "committed" => return Ok(LeaseState::Committed),
        "released" if left == 0 => return Ok(LeaseState::Gone),
        _ => {}
    }
    if let Some(claimed) = claimed {
        if state == "released" {
            take(at, lease.link)?;
        }
        set(at, lease, claimed, now.saturating_add(time(CLAIM_SECONDS)))?;
    }
    Ok(LeaseState::Held)
}

/// Ends what has ended, and takes back what was not spent. Walks over that alone.
fn settle(at: &Transaction<'_>, link: LinkId, now: i64) -> rusqlite::Result<()> {
    let over = params![link.as_bytes(), now];
    let back: i64 = at
        .prepare_cached(
            "SELECT count(*) FROM leases WHERE link = ? AND due <= ? AND state IN ('new', 'held')",
        )?
        .query_row(over, |row| row.get(0))?;
    if back > 0 {
        give_back(at, link, back)?;
    }
    at.prepare_cached("DELETE FROM leases WHERE link = ? AND due <= ? AND ends <= ?2")?.execute(over)?;
    let released = at
        .prepare_cached("UPDATE leases SET state = 'released', due = ends WHERE link = ? AND due <= ?")?
        .execute(over)?;
    if released > 0 {
        cap(at, link)?;
    }
    Ok(())
}

/// Keeps only the released leases that end last.
fn cap(at: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    at.prepare_cached(
        "DELETE FROM leases WHERE id IN
         (SELECT id FROM leases WHERE link = ? AND state = 'released' ORDER BY ends DESC LIMIT -1 OFFSET ?)",
    )?
    .execute(params![link.as_bytes(), i64::try_from(RETURNED_LEASES).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// A lease that is good until `ends` keeps its link.
fn keep(at: &Transaction<'_>, link: LinkId, ends: i64) -> rusqlite::Result<()> {
    at.prepare_cached(
        "UPDATE links SET leased_until = ?1, good_until = max(expires, ?1) WHERE id = ?2 AND leased_until < ?1",
    )?
    .execute(params![ends, link.as_bytes()])?;
    Ok(())
}

#[async_trait]
impl LinkStore for SqliteLinkStore {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), LinkStoreError> {
        let (id, record, issuer) = (link.id, link.record.to_owned(), link.issuer.to_owned());
        let (uses, expires, limit) = (link.uses, time(link.expires_at), link.issuer_limit);
        let now = time(now);
        let made = self.step(move |at| {
            let kept = now - time(KEPT_SECONDS);
            at.prepare_cached("DELETE FROM links WHERE good_until <= ?")?.execute([kept])?;
            let of_issuer: u32 = at
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM links WHERE issuer = ? AND good_until > ? LIMIT ?)",
                )?
                .query_row(params![issuer, kept, limit], |row| row.get(0))?;
            if of_issuer >= limit {
                return Ok(false);
            }
            at.prepare_cached(
                "INSERT INTO links (id, record, uses_left, expires, good_until, issuer) VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
            )?
            .execute(params![id.as_bytes(), record, uses, expires, issuer])?;
            Ok(true)
        });
        if made.await? { Ok(()) } else { Err(LinkStoreError::IssuerLimit) }
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, LinkStoreError> {
        let (ends, now) = (time(ends), time(now));
        self.step(move |at| {
            let Some(link) = find(at, lease.link)? else { return Ok(false) };
            if link.left.is_none() {
                return if now < link.expires {
                    keep(at, lease.link, ends).map(|()| true)
                } else {
                    Ok(false)
                };
            }
            settle(at, lease.link, now)?;
            let known = state(at, lease, now)?;
            if known.as_ref().is_some_and(|state| state != "released") {
                return Ok(true);
            }
            if now >= link.expires || !take(at, lease.link)? {
                return Ok(false);
            }
            keep(at, lease.link, ends)?;
            at.prepare_cached(
                "INSERT OR REPLACE INTO leases (id, link, state, ends, due) VALUES (?, ?, 'new', ?, ?)",
            )?
            .execute(params![
                lease.lease.as_bytes(),
                lease.link.as_bytes(),
                ends,
                ends.min(now.saturating_add(time(CLAIM_SECONDS)))
            ])?;
            Ok(true)
        })
        .await
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, LinkStoreError> {
        self.step(move |at| visit(at, lease, time(now), Some("held"))).await
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, LinkStoreError> {
        self.step(move |at| visit(at, lease, time(now), None)).await
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, LinkStoreError> {
        let state = self.step(move |at| visit(at, lease, time(now), Some("committed"))).await?;
        Ok(state != LeaseState::Gone)
    }

    async fn release(&self, lease: Lease) -> Result<(), LinkStoreError> {
        self.step(move |at| {
            let released = at
                .prepare_cached(
                    "UPDATE leases SET state = 'released', due = ends
                     WHERE id = ? AND link = ? AND state IN ('new', 'held')",
                )?
                .execute(params![lease.lease.as_bytes(), lease.link.as_bytes()])?;
            if released > 0 {
                give_back(at, lease.link, 1)?;
                cap(at, lease.link)?;
            }
            Ok(())
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
