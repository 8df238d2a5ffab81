//! Links in the demo's own database: every step is one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use secure_download::links::{
    CLAIM_SECONDS, KEPT_SECONDS, Lease, LeaseState, LinkId, LinkStore, RETURNED_LEASES,
    StoreError as LinkStoreError, StoredLink,
};

use super::{Store, StoreError};

/// A transaction settles, forgets or revokes so many leases or links at most, since the database does nothing else meanwhile.
const BATCH: u16 = 256;

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

/// Ends this lease and some others if they are due, and takes back what they did not spend. Whether more may be due.
fn settle(at: &Transaction<'_>, lease: Lease, now: i64) -> rusqlite::Result<bool> {
    let link = lease.link.as_bytes();
    let mut own =
        at.prepare_cached("SELECT id, state, ends FROM leases WHERE id = ? AND link = ? AND due <= ?")?;
    let mut some = at.prepare_cached(
        "SELECT id, state, ends FROM leases WHERE link = ? AND due <= ? ORDER BY due LIMIT ?",
    )?;
    let own: Vec<Due> =
        own.query_map(params![lease.lease.as_bytes(), link, now], due)?.collect::<rusqlite::Result<_>>()?;
    let some: Vec<Due> = some.query_map(params![link, now, BATCH], due)?.collect::<rusqlite::Result<_>>()?;
    let more = some.len() == usize::from(BATCH);
    let over: BTreeMap<_, _> = own.into_iter().chain(some).collect();
    let back = over.values().filter(|(state, _)| matches!(state.as_str(), "new" | "held")).count();
    give_back(at, lease.link, i64::try_from(back).unwrap_or(i64::MAX))?;
    for (id, (_, ends)) in &over {
        let step = if *ends <= now {
            "DELETE FROM leases WHERE id = ?"
        } else {
            "UPDATE leases SET state = 'released', due = ends WHERE id = ?"
        };
        at.prepare_cached(step)?.execute([id])?;
    }
    if !over.is_empty() {
        cap(at, lease.link)?;
    }
    Ok(more)
}

/// A lease that is due: its id, its state and its end.
type Due = (Vec<u8>, (String, i64));

fn due(row: &rusqlite::Row<'_>) -> rusqlite::Result<Due> {
    Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
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

/// `None` if no use is left yet and more leases are to be settled: in another transaction.
fn reserve(at: &Transaction<'_>, lease: Lease, ends: i64, now: i64) -> rusqlite::Result<Option<bool>> {
    let Some(link) = find(at, lease.link)? else { return Ok(Some(false)) };
    if link.left.is_none() {
        if now < link.expires {
            keep(at, lease.link, ends)?;
        }
        return Ok(Some(now < link.expires));
    }
    let more = settle(at, lease, now)?;
    if state(at, lease, now)?.is_some_and(|state| state != "released") {
        return Ok(Some(true));
    }
    if now >= link.expires {
        return Ok(Some(false));
    }
    if !take(at, lease.link)? {
        return Ok(if more { None } else { Some(false) });
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
    Ok(Some(true))
}

#[async_trait]
impl LinkStore for SqliteLinkStore {
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), LinkStoreError> {
        let (id, record, issuer) = (link.id, link.record.to_owned(), link.issuer.to_owned());
        let (uses, expires, limit) = (link.uses, time(link.expires_at), link.issuer_limit);
        let now = time(now);
        let made = self.step(move |at| {
            let kept = now - time(KEPT_SECONDS);
            at.prepare_cached(
                "DELETE FROM links WHERE id IN (SELECT id FROM links WHERE good_until <= ? ORDER BY good_until LIMIT ?)",
            )?
            .execute(params![kept, BATCH])?;
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
        loop {
            if let Some(taken) = self.step(move |at| reserve(at, lease, ends, now)).await? {
                return Ok(taken);
            }
        }
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
        let record: Arc<str> = record.into();
        loop {
            let record = Arc::clone(&record);
            let revoked = self.step(move |at| {
                at.prepare_cached(
                    "DELETE FROM links WHERE id IN (SELECT id FROM links WHERE record = ? LIMIT ?)",
                )?
                .execute(params![record, BATCH])
            });
            if revoked.await? < usize::from(BATCH) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_database_keeps_the_laws_of_a_link_store() {
        let (store, ..) = Store::for_test().await;
        secure_download_conformance::link_store::check(Arc::new(SqliteLinkStore::new(store))).await;
    }
}
