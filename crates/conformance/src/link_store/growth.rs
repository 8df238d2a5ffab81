//! Redemptions without end: what a store keeps of them, and what it must keep beside them.

use futures::future::try_join_all;
use secure_download_links::{Lease, LeaseState, LinkId, RETURNED_LEASES};

use super::{LASTS, Laws, failed, fresh};
use crate::law::{Verdict, ensure};

/// Redemptions after which a store keeps as much as it ever will, and after which it is asked again.
const FEW: usize = 200;
const MANY: usize = 20_000;

/// Redemptions at one time.
const TOGETHER: usize = 50;

impl Laws {
    /// What is kept shows from outside: a lease that gave its use back could have it again while one is left. Each step
    /// of a store that keeps a bounded number takes bounded time.
    pub(super) async fn growth(&self) -> Verdict {
        // Three stay away from the turmoil.
        let link = self.mint(Some(TOGETHER as u32 + 3)).await?;
        let delivering = self.reserve(link, self.now, "the first of many").await?;
        self.is(delivering, self.now, LeaseState::Held, "it delivers").await?;
        let spent = self.reserve(link, self.now, "the second of many").await?;
        self.commits(spent, self.now, true, "it holds a use").await?;
        let waiting = self.reserve(link, self.now, "the third of many").await?;

        let mut leases = Vec::new();
        self.redeem_and_return(link, FEW, &mut leases).await?;
        let after_few = self.known(&leases).await?;
        self.redeem_and_return(link, MANY, &mut leases).await?;
        let after_many = self.known(&leases).await?;
        ensure!(
            after_many <= after_few && after_many < FEW,
            "after {FEW} redemptions that gave their uses back {after_few} are kept, after {MANY} more {after_many}"
        );
        let kept = self.known(&leases[leases.len() - TOGETHER..]).await?;
        ensure!(kept >= RETURNED_LEASES, "of the last {TOGETHER} that gave their uses back, {kept} are kept");

        self.looks(delivering, self.now, LeaseState::Held, "it holds its use until its end").await?;
        self.looks(waiting, self.now, LeaseState::Held, "it has not ended").await?;
        self.looks(spent, self.now, LeaseState::Committed, "what was spent may be resumed").await?;
        for number in 1..=TOGETHER {
            self.reserve(link, self.now, &format!("number {number} of {TOGETHER} that were given back"))
                .await?;
        }
        self.none_is_left(link, self.now, "all were taken").await
    }

    /// Very many leases end at once. A store may end some of them in each step, and finds the use that is left behind all: for
    /// the lease that had it, and for another.
    pub(super) async fn many_at_once(&self) -> Verdict {
        let many = 3 * FEW as u32;
        for another in [false, true] {
            let link = self.mint(Some(many)).await?;
            let spent = (1..many).map(|_| async {
                let lease = self.lease_until(link, self.now + LASTS, self.now).await?;
                self.commits(lease, self.now, true, "it holds a use").await
            });
            try_join_all(spent).await?;
            let last = self.lease_until(link, self.now + LASTS + 1, self.now).await?;
            self.is(last, self.now + LASTS, LeaseState::Held, "it comes late").await?;
            let end = self.now + LASTS + 1;
            let next = if another { Lease { link, lease: fresh() } } else { last };
            let again = self.store.reserve(next, end + LASTS, end).await.map_err(failed("reserve"))?;
            ensure!(
                again,
                "{many} leases have ended, the last with a use that was not spent, and none is left"
            );
            self.is(next, end + LASTS - 1, LeaseState::Held, "it took the use that was left").await?;
            self.none_is_left(link, end + LASTS - 1, "all others were spent").await?;
        }

        let record = format!("record {}", fresh());
        let links: Vec<_> = (0..many).map(|_| fresh()).collect();
        try_join_all(links.iter().map(|link| self.mint_for(*link, &record, Some(1)))).await?;
        self.store.revoke_record(&record).await.map_err(failed("revoke_record"))?;
        for link in links {
            self.none_is_left(link, self.now, "its record was revoked, with all its links").await?;
        }
        Ok(())
    }

    /// Redeems so often, and gives each use back. Later leases end later.
    async fn redeem_and_return(&self, link: LinkId, count: usize, leases: &mut Vec<Lease>) -> Verdict {
        while leases.len() < count {
            let ends = self.now + LASTS + (leases.len() / TOGETHER) as u64;
            let some = (0..TOGETHER).map(|_| async move {
                let lease = self.lease_until(link, ends, self.now).await?;
                self.release(lease).await?;
                Ok::<_, String>(lease)
            });
            leases.extend(try_join_all(some).await?);
        }
        Ok(())
    }

    /// How many of these leases could have a use.
    async fn known(&self, leases: &[Lease]) -> Result<usize, String> {
        let mut known = 0;
        for some in leases.chunks(TOGETHER) {
            let found = some.iter().map(|lease| self.store.look(*lease, self.now));
            let found = try_join_all(found).await.map_err(failed("look"))?;
            known += found.iter().filter(|state| **state != LeaseState::Gone).count();
        }
        Ok(known)
    }
}
