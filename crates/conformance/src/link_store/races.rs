//! What happens at once. Every step of a store is atomic, so the order in which they come must not matter.

use std::sync::Arc;

use futures::future::join_all;
use secure_download_links::{Lease, LeaseState, LinkStore};
use tokio::sync::Barrier;

use super::{LASTS, Laws, failed, fresh};
use crate::law::{Verdict, ensure};

/// How many redeem at once, and how often.
const RACERS: usize = 64;
const RACES: usize = 200;

/// How many holders try again at once, and how often.
const HOLDERS: usize = 16;
const RETRIES: usize = 60;

/// How often the ends of leases race.
const ENDS: usize = 20;

/// What a holder, or somebody who has the link, does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Reserve(u64),
    Acquire,
    Commit,
    Release,
}

impl Step {
    /// Whether it got a use, or had one.
    async fn take(self, store: &dyn LinkStore, lease: Lease, now: u64) -> Result<bool, String> {
        match self {
            Self::Reserve(now) => store.reserve(lease, now + LASTS, now).await.map_err(failed("reserve")),
            Self::Acquire => {
                let state = store.acquire(lease, now).await.map_err(failed("acquire"))?;
                Ok(state != LeaseState::Gone)
            }
            Self::Commit => store.commit(lease, now).await.map_err(failed("commit")),
            Self::Release => store.release(lease).await.map(|()| true).map_err(failed("release")),
        }
    }
}

impl Laws {
    /// Takes all steps at once: how many got a use.
    async fn at_once(&self, steps: Vec<(Lease, Step)>) -> Result<u32, String> {
        let barrier = Arc::new(Barrier::new(steps.len()));
        let racers = steps.into_iter().map(|(lease, step)| {
            let (store, barrier, now) = (Arc::clone(&self.store), Arc::clone(&barrier), self.now);
            tokio::spawn(async move {
                barrier.wait().await;
                step.take(&*store, lease, now).await
            })
        });
        let mut winners = 0;
        for racer in join_all(racers).await {
            winners += u32::from(racer.map_err(|error| error.to_string())??);
        }
        Ok(winners)
    }

    pub(super) async fn race(&self) -> Verdict {
        for race in 0..RACES {
            let uses = [1, 3, 17][race % 3];
            let link = self.mint(Some(uses)).await?;
            let mut now = self.now;
            if race % 2 == 1 {
                // Leases that have ended are found by all at once, and give back what they held once.
                for number in 1..=uses {
                    self.reserve(link, now, &format!("number {number} of {uses}")).await?;
                }
                now += LASTS;
            }
            let steps = (0..RACERS).map(|_| (Lease { link, lease: fresh() }, Step::Reserve(now)));
            let winners = self.at_once(steps.collect()).await?;
            ensure!(winners == uses, "of {RACERS} that redeem a link of {uses} uses, {winners} win");
            self.revoke(link).await?;
        }
        Ok(())
    }

    /// Holders whose delivery failed gave their uses back, and try again while others redeem the link.
    pub(super) async fn race_of_holders(&self) -> Verdict {
        for race in 0..RETRIES {
            let uses = [1, 3][race % 2];
            let link = self.mint(Some(uses)).await?;
            let mut leases = Vec::new();
            for number in 1..=HOLDERS {
                let lease = self
                    .reserve(link, self.now, &format!("holder {number} comes after all gave back"))
                    .await?;
                self.release(lease).await?;
                leases.push(lease);
            }
            let steps =
                leases.into_iter().enumerate().map(|(number, lease)| match (race / 2 % 3, number % 3) {
                    (0, _) | (2, 0) => (lease, Step::Commit),
                    (1, _) | (2, 1) => (lease, Step::Acquire),
                    _ => (Lease { link, lease: fresh() }, Step::Reserve(self.now)),
                });
            let winners = self.at_once(steps.collect()).await?;
            ensure!(winners == uses, "of {HOLDERS} that try a link of {uses} uses again, {winners} win");
            self.none_is_left(link, self.now, "all were taken again").await?;
            self.revoke(link).await?;
        }
        Ok(())
    }

    /// Half of the holders spend their uses and half give them back, all at once, and each of them twice.
    pub(super) async fn race_of_ends(&self) -> Verdict {
        for _race in 0..ENDS {
            let link = self.mint(Some(16)).await?;
            let mut steps = Vec::new();
            for number in 1..=16 {
                let lease = self.reserve(link, self.now, &format!("number {number} of 16")).await?;
                let first = if number % 2 == 0 { Step::Commit } else { Step::Release };
                // Whoever spends what it gave back in that moment has it again: nobody else wants it.
                steps.extend([(lease, first), (lease, Step::Release)]);
            }
            let good = self.at_once(steps).await?;
            ensure!(good == 32, "a lease that holds a use cannot be spent");
            for number in 1..=8 {
                self.reserve(link, self.now, &format!("number {number} of 8 that were given back")).await?;
            }
            self.none_is_left(link, self.now, "8 were given back, and taken").await?;
            self.revoke(link).await?;
        }
        Ok(())
    }
}
