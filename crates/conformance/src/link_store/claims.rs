//! Leases that do not come back, come back late, or are asked for twice; and issuers at their limit.

use secure_download_links::{CLAIM_SECONDS, KEPT_SECONDS, Lease, LeaseState, LinkId, StoreError, StoredLink};

use super::{LASTS, Laws, failed, fresh};
use crate::law::{Verdict, ensure};

impl Laws {
    pub(super) async fn claims(&self) -> Verdict {
        let late = self.now + CLAIM_SECONDS;
        let link = self.mint(Some(1)).await?;
        let lost = self.reserve(link, self.now, "the only one").await?;
        self.looks(lost, self.now, LeaseState::Held, "it was reserved").await?;
        self.none_is_left(link, late - 1, "its holder has a minute to come").await?;
        let other = self.reserve(link, late, "no request came with the lease").await?;
        self.is(lost, late, LeaseState::Gone, "another has its use").await?;
        self.none_is_left(link, late, "one use came back, not two").await?;
        self.commits(other, late, true, "it holds the use").await?;

        let link = self.mint(Some(1)).await?;
        let lease = self.reserve(link, self.now, "the only one").await?;
        self.commits(lease, self.now, true, "it holds a use").await?;
        self.none_is_left(link, self.now + LASTS - 1, "it was spent").await?;
        self.is(lease, self.now + LASTS - 1, LeaseState::Committed, "it was spent").await?;
        self.acquired().await?;

        let link = self.mint(Some(1)).await?;
        let slow = self.reserve(link, self.now, "the only one").await?;
        self.is(slow, late, LeaseState::Held, "its holder comes late, and before all others").await?;
        self.none_is_left(link, late, "the late holder has it").await?;

        let link = self.mint(Some(1)).await?;
        let lease = self.lease_until(link, self.now + 10, self.now).await?;
        self.reserve(link, self.now + 10, "a lease may be shorter than a minute").await?;
        self.is(lease, self.now + 10, LeaseState::Gone, "it has ended").await
    }

    /// An answer to `acquire` may be lost, and an `acquire` may come after the `release` that followed it.
    async fn acquired(&self) -> Verdict {
        for released in [false, true] {
            let link = self.mint(Some(1)).await?;
            let lease = self.reserve(link, self.now, "the only one").await?;
            if released {
                self.release(lease).await?;
            }
            let came = self.now + 30;
            self.is(lease, came, LeaseState::Held, "its holder came").await?;
            self.is(lease, came - 10, LeaseState::Held, "an earlier request comes later").await?;
            let over = came + CLAIM_SECONDS;
            self.none_is_left(link, over - 1, "its holder came less than a minute ago").await?;
            self.reserve(link, over, "its holder came a minute ago, and nothing was delivered").await?;
            self.commits(lease, over, false, "another has its use").await?;
        }
        // A delivery that begins late spends its use where no other wants it, and keeps it.
        let link = self.mint(Some(2)).await?;
        let slow = self.reserve(link, self.now, "the first of two").await?;
        self.is(slow, self.now, LeaseState::Held, "its holder came").await?;
        let late = self.now + CLAIM_SECONDS;
        self.reserve(link, late, "the second of two").await?;
        self.commits(slow, late, true, "nobody else has its use").await?;
        self.none_is_left(link, self.now + LASTS - 1, "one is spent, and another waits").await
    }

    pub(super) async fn same_lease(&self) -> Verdict {
        let link = self.mint(Some(2)).await?;
        let lease = self.reserve(link, self.now, "the first of two").await?;
        self.again(lease, true, "it holds a use").await?;
        self.is(lease, self.now, LeaseState::Held, "its holder came").await?;
        self.again(lease, true, "it holds a use").await?;
        self.commits(lease, self.now, true, "it holds a use").await?;
        self.again(lease, true, "it has spent its use").await?;
        self.is(lease, self.now, LeaseState::Committed, "asking again changes nothing").await?;
        self.reserve(link, self.now, "one lease took one use").await?;
        self.none_is_left(link, self.now, "both are taken").await?;

        let link = self.mint(Some(1)).await?;
        let lease = self.reserve(link, self.now, "the only one").await?;
        self.release(lease).await?;
        self.again(lease, true, "it gave its use back").await?;
        self.none_is_left(link, self.now, "the lease has it again").await?;
        self.release(lease).await?;
        self.reserve(link, self.now, "it was given back").await?;
        self.again(lease, false, "another has its use").await
    }

    /// Reserves for a lease that was reserved before.
    async fn again(&self, lease: Lease, good: bool, why: &str) -> Verdict {
        let found = self.store.reserve(lease, self.now + LASTS, self.now).await.map_err(failed("reserve"))?;
        ensure!(found == good, "the same lease, reserved again, gets {found}: {why}");
        Ok(())
    }

    pub(super) async fn issuers(&self) -> Verdict {
        let (greedy, other) = (format!("issuer {}", fresh()), format!("ISSUER {}", fresh()));
        let mut links = Vec::new();
        for number in 1..=3_u64 {
            links.push(fresh());
            let expires_at = self.now + 10 * number;
            self.mint_as(links[links.len() - 1], &greedy, expires_at, self.now)
                .await?
                .map_err(failed("mint"))?;
        }
        let too_many = self.mint_as(fresh(), &greedy, self.now + 100, self.now).await?;
        ensure!(
            matches!(too_many, Err(StoreError::IssuerLimit)),
            "the fourth link of an issuer that may have three is answered {too_many:?}"
        );
        let end = self.now + 2 * KEPT_SECONDS + LASTS;
        for link in &links {
            self.lease_until(*link, end, self.now).await?;
        }
        for issuer in [&other, &format!("{greedy} "), &greedy.to_uppercase()] {
            let made = self.mint_as(fresh(), issuer, self.now + 100, self.now).await?;
            made.map_err(|error| format!("{issuer:?} has no link yet, and gets none: {error}"))?;
        }
        // A store keeps what was redeemed until its lease ends, and so it counts.
        let leased = end - 1;
        let too_many = self.mint_as(fresh(), &greedy, end + 1000, leased).await?;
        ensure!(
            matches!(too_many, Err(StoreError::IssuerLimit)),
            "three links have expired and their leases have not ended; another is answered {too_many:?}"
        );
        // Room comes by revoking a link, by revoking a record, and by the end.
        self.revoke(links[1]).await?;
        let made = self.mint_as(fresh(), &greedy, end + 10, leased).await?;
        made.map_err(failed("one of three was revoked, and another is refused"))?;
        self.store
            .revoke_record(&format!("record of {}", links[2]))
            .await
            .map_err(failed("revoke_record"))?;
        let made = self.mint_as(fresh(), &greedy, end + 1000, leased).await?;
        made.map_err(failed("the record of one of three was revoked, and another is refused"))?;
        let too_many = self.mint_as(fresh(), &greedy, end + 1000, leased).await?;
        ensure!(too_many.is_err(), "the issuer has three again, and gets another");
        for forgotten in [end + KEPT_SECONDS, end + 10 + KEPT_SECONDS] {
            let made = self.mint_as(fresh(), &greedy, end + 1000, forgotten).await?;
            made.map_err(failed("one of three is past its end, and another is refused"))?;
        }
        let too_many = self.mint_as(fresh(), &greedy, end + 1000, end + 10 + KEPT_SECONDS).await?;
        ensure!(too_many.is_err(), "the issuer has three once more, and gets another");
        Ok(())
    }

    /// Mints as an issuer that may have three links.
    async fn mint_as(
        &self,
        id: LinkId,
        issuer: &str,
        expires_at: u64,
        now: u64,
    ) -> Result<Result<(), StoreError>, String> {
        let record = format!("record of {id}");
        let link = StoredLink::new(id, &record, Some(1), expires_at).issued_by(issuer, 3);
        match self.store.mint(link, now).await {
            Err(StoreError::Unavailable(error)) => Err(format!("mint: {error}")),
            answer => Ok(answer),
        }
    }
}
