//! The laws of a [`LinkStore`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use secure_download_links::{Lease, LeaseState, LinkId, LinkStore, StoredLink};
use tokio::sync::Barrier;

/// How many redeem at once, and how often.
const RACERS: usize = 64;
const RACES: usize = 200;

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
/// If a law is broken.
pub async fn check(store: Arc<dyn LinkStore>) {
    let laws = Laws { store, now: now() };
    laws.as_many_as_there_are_uses().await;
    laws.it_ends_at_the_second().await;
    laws.what_is_not_there_is_spent().await;
    laws.what_was_released_is_left_again().await;
    laws.what_was_spent_stays_spent().await;
    laws.a_lease_ends_and_gives_back_what_it_did_not_spend().await;
    laws.revoked_is_gone().await;
    laws.looking_changes_nothing().await;
    laws.a_race_has_as_many_winners_as_uses().await;
    laws.a_race_to_spend_and_release_ends_right().await;
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

impl Laws {
    async fn mint(&self, uses: Option<u32>) -> LinkId {
        let id = fresh();
        self.mint_for(id, &format!("record of {id}"), uses).await;
        id
    }

    async fn mint_for(&self, id: LinkId, record: &str, uses: Option<u32>) {
        let link = StoredLink { id, record, uses, expires_at: self.now + 1000 };
        self.store.mint(link, self.now).await.expect("minted");
    }

    /// A new lease, if a use is left at `now`.
    async fn reserve(&self, link: LinkId, now: u64) -> Option<Lease> {
        let lease = Lease { link, lease: fresh() };
        self.store.reserve(lease, now + LASTS, now).await.expect("reserved").then_some(lease)
    }

    async fn state(&self, lease: Lease, now: u64) -> LeaseState {
        self.store.acquire(lease, now).await.expect("acquired")
    }

    async fn commit(&self, lease: Lease, now: u64) -> bool {
        self.store.commit(lease, now).await.expect("committed")
    }

    async fn as_many_as_there_are_uses(&self) {
        for uses in [1, 2, 5] {
            let link = self.mint(Some(uses)).await;
            for _ in 0..uses {
                assert!(self.reserve(link, self.now).await.is_some(), "a use of {uses} is left");
            }
            assert_eq!(self.reserve(link, self.now).await, None, "{uses} uses are spent");
        }
        let link = self.mint(None).await;
        for _ in 0..10 {
            assert!(self.reserve(link, self.now).await.is_some(), "an expiring link has no number of uses");
        }
    }

    async fn it_ends_at_the_second(&self) {
        let link = self.mint(None).await;
        let ends = self.now + 1000;
        assert!(self.reserve(link, ends - 1).await.is_some(), "the last second is good");
        assert_eq!(self.reserve(link, ends).await, None, "the second of the expiry is not");
        assert_eq!(self.reserve(link, ends + 1).await, None, "nor is any later one");
    }

    async fn what_is_not_there_is_spent(&self) {
        assert_eq!(self.reserve(fresh(), self.now).await, None);
        let lease = Lease { link: fresh(), lease: fresh() };
        assert_eq!(self.state(lease, self.now).await, LeaseState::Gone);
        assert!(!self.commit(lease, self.now).await, "an unknown lease cannot be spent");
        self.store.release(lease).await.expect("releasing nothing is no error");
        self.store.revoke(lease.link).await.expect("revoking nothing is no error");
        let stranger = Lease { link: self.mint(Some(1)).await, lease: fresh() };
        assert_eq!(self.state(stranger, self.now).await, LeaseState::Gone, "a link that nobody redeemed");
        assert!(!self.commit(stranger, self.now).await);
    }

    async fn what_was_released_is_left_again(&self) {
        let link = self.mint(Some(1)).await;
        let first = self.reserve(link, self.now).await.expect("a use");
        assert_eq!(self.state(first, self.now).await, LeaseState::Held);
        for _twice in 0..2 {
            self.store.release(first).await.expect("released");
        }
        assert_eq!(self.state(first, self.now).await, LeaseState::Held, "its holder may try again");
        assert_eq!(self.reserve(link, self.now).await, None, "and holds the use again");
        self.store.release(first).await.expect("released");
        let second = self.reserve(link, self.now).await.expect("given back, once");
        assert_eq!(self.reserve(link, self.now).await, None, "and not twice");
        assert_eq!(self.state(first, self.now).await, LeaseState::Gone, "the other has it now");
        assert!(!self.commit(first, self.now).await);
        assert!(self.commit(second, self.now).await);
    }

    async fn what_was_spent_stays_spent(&self) {
        let link = self.mint(Some(2)).await;
        let lease = self.reserve(link, self.now).await.expect("a use");
        for _twice in 0..2 {
            assert!(self.commit(lease, self.now).await);
            assert_eq!(self.state(lease, self.now).await, LeaseState::Committed, "to be resumed");
        }
        self.store.release(lease).await.expect("no error, and no effect");
        assert_eq!(self.state(lease, self.now).await, LeaseState::Committed);
        assert!(self.reserve(link, self.now).await.is_some(), "the other use");
        assert_eq!(self.reserve(link, self.now).await, None, "spent twice, but for two uses");
    }

    async fn a_lease_ends_and_gives_back_what_it_did_not_spend(&self) {
        let link = self.mint(Some(2)).await;
        let (spent, held) = (self.reserve(link, self.now).await, self.reserve(link, self.now).await);
        let (spent, held) = (spent.expect("a use"), held.expect("a use"));
        assert!(self.commit(spent, self.now).await);
        let end = self.now + LASTS;
        for (lease, state) in [(spent, LeaseState::Committed), (held, LeaseState::Held)] {
            assert_eq!(self.state(lease, end - 1).await, state, "the last second is good");
            assert_eq!(self.state(lease, end).await, LeaseState::Gone, "its end is not");
            assert!(!self.commit(lease, end).await);
        }
        assert_eq!(self.reserve(link, end - 1).await, None, "still held");
        assert!(self.reserve(link, end).await.is_some(), "what was not spent is left again");
        assert_eq!(self.reserve(link, end).await, None, "what was spent is not");
    }

    async fn revoked_is_gone(&self) {
        let record = format!("record {}", fresh());
        let (one, other) = (fresh(), fresh());
        self.mint_for(one, &record, Some(5)).await;
        self.mint_for(other, &record, None).await;
        let bystander = self.mint(Some(5)).await;
        let lease = self.reserve(one, self.now).await.expect("a use");
        let of_other = self.reserve(other, self.now).await.expect("a use");
        assert!(self.commit(lease, self.now).await);

        self.store.revoke(one).await.expect("revoked");
        assert_eq!(self.reserve(one, self.now).await, None);
        assert_eq!(self.state(lease, self.now).await, LeaseState::Gone, "its leases end with it");
        assert_eq!(
            self.state(of_other, self.now).await,
            LeaseState::Held,
            "another link of the record goes on"
        );

        self.store.revoke_record(&record).await.expect("revoked");
        assert_eq!(self.reserve(other, self.now).await, None);
        assert_eq!(self.state(of_other, self.now).await, LeaseState::Gone);
        assert!(self.reserve(bystander, self.now).await.is_some(), "other records go on");
    }

    async fn looking_changes_nothing(&self) {
        let link = self.mint(Some(1)).await;
        let lease = self.reserve(link, self.now).await.expect("a use");
        let look = async |now| self.store.look(lease, now).await.expect("looked");
        assert_eq!(look(self.now).await, LeaseState::Held);
        assert_eq!(look(self.now + LASTS).await, LeaseState::Gone);
        self.store.release(lease).await.expect("released");
        assert_eq!(look(self.now).await, LeaseState::Held, "it could have it again");
        let other = self.reserve(link, self.now).await.expect("looking took nothing");
        assert_eq!(look(self.now).await, LeaseState::Gone);
        assert!(self.commit(other, self.now).await);
        assert_eq!(self.store.look(other, self.now).await.expect("looked"), LeaseState::Committed);
    }

    async fn a_race_has_as_many_winners_as_uses(&self) {
        for race in 0..RACES {
            let uses = [1, 3, 17][race % 3];
            let link = self.mint(Some(u32::try_from(uses).expect("small"))).await;
            let barrier = Arc::new(Barrier::new(RACERS));
            let racers = (0..RACERS).map(|_| {
                let (store, barrier, now) = (Arc::clone(&self.store), Arc::clone(&barrier), self.now);
                tokio::spawn(async move {
                    let lease = Lease { link, lease: fresh() };
                    barrier.wait().await;
                    store.reserve(lease, now + LASTS, now).await.expect("an answer").then_some(lease)
                })
            });
            let winners: Vec<Lease> =
                join_all(racers).await.into_iter().filter_map(|racer| racer.expect("ended")).collect();
            assert_eq!(winners.len(), uses, "race {race}");
            self.store.revoke(link).await.expect("revoked");
        }
    }

    /// Half of the holders spend their uses and half give them back, all at once.
    async fn a_race_to_spend_and_release_ends_right(&self) {
        let link = self.mint(Some(16)).await;
        let mut leases = Vec::new();
        while let Some(lease) = self.reserve(link, self.now).await {
            leases.push(lease);
        }
        let barrier = Arc::new(Barrier::new(leases.len()));
        let racers = leases.into_iter().enumerate().map(|(number, lease)| {
            let (store, barrier, now) = (Arc::clone(&self.store), Arc::clone(&barrier), self.now);
            tokio::spawn(async move {
                barrier.wait().await;
                match number % 2 {
                    0 => assert!(store.commit(lease, now).await.expect("committed")),
                    _ => store.release(lease).await.expect("released"),
                }
            })
        });
        for racer in join_all(racers).await {
            racer.expect("ended");
        }
        let mut left = 0;
        while self.reserve(link, self.now).await.is_some() {
            left += 1;
        }
        assert_eq!(left, 8, "half were given back");
    }
}
