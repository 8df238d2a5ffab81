//! The laws of a [`LinkStore`].
//!
//! | law |
//! |---|
//! | a link is good for as many uses as it has |
//! | a link ends at its second |
//! | what is not there is spent |
//! | what was released is left again, once |
//! | what was spent stays spent |
//! | a lease ends and gives back what it did not spend |
//! | what was revoked is gone, and nothing else |
//! | looking changes nothing |
//! | of a race as many win as there are uses |
//! | of holders that try again at once as many win as there are uses |
//! | uses that are spent and given back at once are counted right |
//! | a lease that does not come back gives its use back |
//! | the same lease again is the same redemption |
//! | an issuer at its limit leaves room for others |
//! | leases that gave their uses back do not pile up |
//! | very many leases and links end as few do |
//!
//! A race shows a step that is not atomic only where others come between its parts: a gap of nanoseconds may pass. What
//! becomes of a use when the connection to the store fails is for [`check_faults`]; a restart is for a test against the store.

mod claims;
mod faults;
mod growth;
mod races;

pub use self::faults::{Fault, FaultProxy, check_faults};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use secure_download_links::{Lease, LeaseState, LinkId, LinkStore, StoreError, StoredLink};

use crate::Broken;
use crate::law::{Docket, Verdict, ensure};

/// How long a lease of the laws lasts, in seconds.
const LASTS: u64 = 100;

/// Runs every law against a store, on any runtime of tokio's; a multi-threaded one races in earnest. The store need not
/// be empty.
///
/// ```
/// use secure_download_links::MemoryLinkStore;
/// use std::sync::Arc;
///
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// secure_download_conformance::link_store::check(Arc::new(MemoryLinkStore::new(1_000))).await;
/// # });
/// ```
///
/// # Panics
/// If laws are broken, with the name of each.
pub async fn check(store: Arc<dyn LinkStore>) {
    if let Err(broken) = verify(store).await {
        panic!("the link store breaks laws\n{broken}");
    }
}

/// As [`check`], with what is broken as a value.
///
/// # Errors
/// The laws that are broken.
pub async fn verify(store: Arc<dyn LinkStore>) -> Result<(), Broken> {
    let laws = Laws { store, now: now() };
    let mut docket = Docket::default();
    docket.note("a link is good for as many uses as it has", laws.uses().await);
    docket.note("a link ends at its second", laws.end().await);
    docket.note("what is not there is spent", laws.unknown().await);
    docket.note("what was released is left again, once", laws.released().await);
    docket.note("what was spent stays spent", laws.spent().await);
    docket.note("a lease ends and gives back what it did not spend", laws.leases().await);
    docket.note("what was revoked is gone, and nothing else", laws.revoked().await);
    docket.note("looking changes nothing", laws.looking().await);
    docket.note("of a race as many win as there are uses", laws.race().await);
    docket.note(
        "of holders that try again at once as many win as there are uses",
        laws.race_of_holders().await,
    );
    docket.note("uses that are spent and given back at once are counted right", laws.race_of_ends().await);
    docket.note("a lease that does not come back gives its use back", laws.claims().await);
    docket.note("the same lease again is the same redemption", laws.same_lease().await);
    docket.note("an issuer at its limit leaves room for others", laws.issuers().await);
    docket.note("very many leases and links end as few do", laws.many_at_once().await);
    docket.note("leases that gave their uses back do not pile up", laws.growth().await);
    docket.close()
}

struct Laws {
    store: Arc<dyn LinkStore>,
    now: u64,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A name that no other call, here or in another process, has given.
fn fresh() -> LinkId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let count = u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
    let process = u128::from(std::process::id());
    LinkId::from_bytes(((nanos << 64) ^ (process << 32) ^ count).to_be_bytes())
}

fn failed(what: &'static str) -> impl Fn(StoreError) -> String {
    move |error| format!("{what}: {error}")
}

impl Laws {
    async fn mint(&self, uses: Option<u32>) -> Result<LinkId, String> {
        let id = fresh();
        self.mint_for(id, &format!("record of {id}"), uses).await?;
        Ok(id)
    }

    async fn mint_for(&self, id: LinkId, record: &str, uses: Option<u32>) -> Verdict {
        let link = StoredLink::new(id, record, uses, self.now + 1000);
        self.store.mint(link, self.now).await.map_err(failed("mint"))
    }

    /// A new lease, if a use is left at `now`.
    async fn try_reserve(&self, link: LinkId, now: u64) -> Result<Option<Lease>, String> {
        let lease = Lease { link, lease: fresh() };
        let reserved = self.store.reserve(lease, now + LASTS, now).await.map_err(failed("reserve"))?;
        Ok(reserved.then_some(lease))
    }

    /// A new lease with an end of its own, where a use must be left.
    async fn lease_until(&self, link: LinkId, ends: u64, now: u64) -> Result<Lease, String> {
        let lease = Lease { link, lease: fresh() };
        let reserved = self.store.reserve(lease, ends, now).await.map_err(failed("reserve"))?;
        if reserved { Ok(lease) } else { Err("no use is left, and one should be".to_owned()) }
    }

    /// A new lease where a use must be left.
    async fn reserve(&self, link: LinkId, now: u64, why: &str) -> Result<Lease, String> {
        self.try_reserve(link, now).await?.ok_or_else(|| format!("no use is left: {why}"))
    }

    async fn none_is_left(&self, link: LinkId, now: u64, why: &str) -> Verdict {
        ensure!(self.try_reserve(link, now).await?.is_none(), "a use is left: {why}");
        Ok(())
    }

    async fn is(&self, lease: Lease, now: u64, state: LeaseState, why: &str) -> Verdict {
        let found = self.store.acquire(lease, now).await.map_err(failed("acquire"))?;
        ensure!(found == state, "acquired, a lease is {found:?} and should be {state:?}: {why}");
        Ok(())
    }

    async fn looks(&self, lease: Lease, now: u64, state: LeaseState, why: &str) -> Verdict {
        let found = self.store.look(lease, now).await.map_err(failed("look"))?;
        ensure!(found == state, "looked at, a lease is {found:?} and should be {state:?}: {why}");
        Ok(())
    }

    async fn commits(&self, lease: Lease, now: u64, good: bool, why: &str) -> Verdict {
        let committed = self.store.commit(lease, now).await.map_err(failed("commit"))?;
        ensure!(committed == good, "commit says {committed}: {why}");
        Ok(())
    }

    async fn release(&self, lease: Lease) -> Verdict {
        self.store.release(lease).await.map_err(failed("release"))
    }

    async fn revoke(&self, link: LinkId) -> Verdict {
        self.store.revoke(link).await.map_err(failed("revoke"))
    }

    async fn uses(&self) -> Verdict {
        for uses in [1, 2, 5] {
            let link = self.mint(Some(uses)).await?;
            for number in 1..=uses {
                self.reserve(link, self.now, &format!("number {number} of {uses}")).await?;
            }
            self.none_is_left(link, self.now, &format!("{uses} were spent")).await?;
        }
        let link = self.mint(None).await?;
        for _ in 0..10 {
            self.reserve(link, self.now, "a link that only expires has no number of uses").await?;
        }
        Ok(())
    }

    async fn end(&self) -> Verdict {
        let link = self.mint(None).await?;
        let ends = self.now + 1000;
        self.reserve(link, ends - 1, "the last second is good").await?;
        self.none_is_left(link, ends, "the second of the expiry is not good").await?;
        self.none_is_left(link, ends + 1, "nor is any later one").await
    }

    async fn unknown(&self) -> Verdict {
        self.none_is_left(fresh(), self.now, "nobody minted the link").await?;
        let lease = Lease { link: fresh(), lease: fresh() };
        self.is(lease, self.now, LeaseState::Gone, "nobody minted the link").await?;
        self.commits(lease, self.now, false, "an unknown lease cannot be spent").await?;
        // Releasing or revoking nothing is no error.
        self.release(lease).await?;
        self.revoke(lease.link).await?;
        let stranger = Lease { link: self.mint(Some(1)).await?, lease: fresh() };
        self.is(stranger, self.now, LeaseState::Gone, "nobody redeemed the link").await?;
        self.commits(stranger, self.now, false, "nobody redeemed the link").await?;
        let (one, other) = (self.mint(Some(1)).await?, self.mint(Some(1)).await?);
        let lease = Lease { link: other, ..self.reserve(one, self.now, "the only one").await? };
        self.is(lease, self.now, LeaseState::Gone, "the lease is one of another link").await?;
        self.commits(lease, self.now, false, "the lease is one of another link").await?;
        self.release(lease).await?;
        self.none_is_left(one, self.now, "it was released in the name of another link").await
    }

    async fn released(&self) -> Verdict {
        let link = self.mint(Some(1)).await?;
        let first = self.reserve(link, self.now, "the only one").await?;
        self.is(first, self.now, LeaseState::Held, "it was reserved").await?;
        for _twice in 0..2 {
            self.release(first).await?;
        }
        self.is(first, self.now, LeaseState::Held, "its holder may try again").await?;
        self.none_is_left(link, self.now, "the holder has it again").await?;
        self.release(first).await?;
        let second = self.reserve(link, self.now, "it was given back").await?;
        self.none_is_left(link, self.now, "it was given back once, not twice").await?;
        self.is(first, self.now, LeaseState::Gone, "the other has it now").await?;
        self.commits(first, self.now, false, "the other has it now").await?;
        self.commits(second, self.now, true, "it holds the use").await
    }

    async fn spent(&self) -> Verdict {
        let link = self.mint(Some(2)).await?;
        let lease = self.reserve(link, self.now, "the first of two").await?;
        for _twice in 0..2 {
            self.commits(lease, self.now, true, "it holds a use").await?;
            self.is(lease, self.now, LeaseState::Committed, "to be resumed").await?;
        }
        self.release(lease).await?;
        self.is(lease, self.now, LeaseState::Committed, "releasing what was spent has no effect").await?;
        self.reserve(link, self.now, "the second of two").await?;
        self.none_is_left(link, self.now, "both were spent").await
    }

    async fn leases(&self) -> Verdict {
        let link = self.mint(Some(2)).await?;
        let spent = self.reserve(link, self.now, "the first of two").await?;
        let held = self.reserve(link, self.now, "the second of two").await?;
        self.commits(spent, self.now, true, "it holds a use").await?;
        let end = self.now + LASTS;
        for (lease, state) in [(spent, LeaseState::Committed), (held, LeaseState::Held)] {
            self.is(lease, end - 1, state, "the last second of a lease is good").await?;
            self.is(lease, end, LeaseState::Gone, "the end of a lease is not").await?;
            self.commits(lease, end, false, "the lease has ended").await?;
        }
        self.none_is_left(link, end - 1, "it is still held").await?;
        self.reserve(link, end, "what was not spent is left again").await?;
        self.none_is_left(link, end, "what was spent is not").await?;
        self.ended_and_released().await?;
        self.unlimited().await
    }

    /// A link without a number of uses may keep no leases, and be good until the last of them ends.
    async fn unlimited(&self) -> Verdict {
        let link = self.mint(None).await?;
        let lease = self.reserve(link, self.now + 950, "it only expires").await?;
        let end = self.now + 950 + LASTS;
        for _twice in 0..2 {
            let found = self.store.acquire(lease, end - 1).await.map_err(failed("acquire"))?;
            ensure!(found != LeaseState::Gone, "a lease outlasts its link, up to its last second");
            self.release(lease).await?;
        }
        self.commits(lease, end - 1, true, "a lease outlasts its link").await?;
        self.looks(lease, end, LeaseState::Gone, "the last lease of the link has ended").await?;
        self.commits(lease, end, false, "the last lease of the link has ended").await
    }

    /// A holder that is slow gives its use back after the lease has ended, before and after somebody else got it.
    async fn ended_and_released(&self) -> Verdict {
        let end = self.now + LASTS;
        for before in [true, false] {
            let link = self.mint(Some(1)).await?;
            let slow = self.reserve(link, self.now, "the only one").await?;
            if before {
                self.release(slow).await?;
            }
            self.reserve(link, end, "what was not spent is left again").await?;
            self.release(slow).await?;
            self.none_is_left(link, end, "a lease that has ended gave its use back again").await?;
            self.commits(slow, end, false, "another has its use").await?;
            self.reserve(link, end + LASTS, "the other has ended too").await?;
            self.none_is_left(link, end + LASTS, "two ended, of one use").await?;
        }
        Ok(())
    }

    async fn revoked(&self) -> Verdict {
        let record = format!("record {}", fresh());
        let (one, other) = (fresh(), fresh());
        self.mint_for(one, &record, Some(5)).await?;
        self.mint_for(other, &record, None).await?;
        let bystander = self.mint(Some(5)).await?;
        let lease = self.reserve(one, self.now, "the first of five").await?;
        let of_other = self.reserve(other, self.now, "it only expires").await?;
        self.commits(lease, self.now, true, "it holds a use").await?;

        self.revoke(one).await?;
        self.none_is_left(one, self.now, "the link was revoked").await?;
        self.is(lease, self.now, LeaseState::Gone, "leases end with their link").await?;
        self.is(of_other, self.now, LeaseState::Held, "another link of the record goes on").await?;

        self.store.revoke_record(&record).await.map_err(failed("revoke_record"))?;
        self.none_is_left(other, self.now, "the record was revoked").await?;
        self.is(of_other, self.now, LeaseState::Gone, "the record was revoked").await?;
        self.reserve(bystander, self.now, "other records go on").await?;
        self.bystanders().await
    }

    /// Names of records that a store takes for that of another which looks for them by prefix or pattern, or does not
    /// compare each byte.
    async fn bystanders(&self) -> Verdict {
        let unique = fresh();
        let record = format!("Record {unique}.%_*?[a-z]\\");
        let others = [
            format!("{record}1"),
            format!("1{record}"),
            format!("{record} "),
            format!("Record {unique}"),
            format!("Record {unique}.anything else*?[a-z]\\"),
            format!("Record {unique}.%_anything elseab\\"),
            format!("RECORD {unique}.%_*?[a-z]\\"),
            String::new(),
        ];
        let mut links = Vec::new();
        for other in others {
            let id = fresh();
            self.mint_for(id, &other, Some(1)).await?;
            links.push((id, other));
        }
        self.store.revoke_record(&record).await.map_err(failed("revoke_record"))?;
        for (link, other) in links {
            self.reserve(link, self.now, &format!("{record:?} was revoked, and not {other:?}")).await?;
        }
        Ok(())
    }

    async fn looking(&self) -> Verdict {
        let link = self.mint(Some(1)).await?;
        let lease = self.reserve(link, self.now, "the only one").await?;
        self.looks(lease, self.now, LeaseState::Held, "it was reserved").await?;
        self.looks(lease, self.now + LASTS, LeaseState::Gone, "the lease has ended").await?;
        self.release(lease).await?;
        self.looks(lease, self.now, LeaseState::Held, "its holder could have it again").await?;
        let other = self.reserve(link, self.now, "looking takes nothing").await?;
        self.looks(lease, self.now, LeaseState::Gone, "the other has it now").await?;
        self.commits(other, self.now, true, "it holds the use").await?;
        self.looks(other, self.now, LeaseState::Committed, "it was spent").await
    }
}
