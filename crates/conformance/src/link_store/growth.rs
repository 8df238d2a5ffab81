//! Redemptions without end: what a store keeps of them, and what it must keep beside them.

use futures::future::try_join_all;
use secure_download_links::{Lease, LeaseState, LinkId, RETURNED_LEASES};

use super::{LASTS, Laws, failed};
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
