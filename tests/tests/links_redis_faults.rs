//! Links on Redis whose connection is closed, silent or late: each use is won once, and none is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use http::HeaderMap;
use http::header::{COOKIE, SET_COOKIE};
use secure_download::UsageLimit;
use secure_download::links::{
    CLAIM_SECONDS, Lease, LinkId, LinkKey, LinkSigner, LinkStore, Links, NewLink, RedisLinkStore, StoredLink,
};
use secure_download_conformance::link_store::{Fault, FaultProxy, check_faults};
use system_tests::RedisServer;

/// The service is back so soon after a fault.
const SOON: Duration = Duration::from_secs(10);

/// Between two tries of a client.
const PAUSE: Duration = Duration::from_millis(20);

fn links_on(store: RedisLinkStore) -> Links {
    let key = LinkKey::new(1, "0123456789abcdef0123456789abcdef").expect("long enough");
    Links::new(LinkSigner::new("tests", &key), store).links_per_issuer(u32::MAX)
}

fn one_time() -> NewLink {
    NewLink::one_time("record", Duration::from_secs(3600))
}

async fn connect(url: &str) -> RedisLinkStore {
    RedisLinkStore::connect(url).await.expect("connected")
}

/// A server, a proxy before it, and a store behind both.
async fn harmed() -> (RedisServer, FaultProxy, RedisLinkStore) {
    let server = RedisServer::start().await;
    let proxy = FaultProxy::start(server.address()).await.expect("a proxy");
    let store = connect(&format!("redis://{}/", proxy.address())).await;
    (server, proxy, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_survives_each_fault() {
    let (server, proxy, store) = harmed().await;
    check_faults(Arc::new(connect(&server.url()).await), Arc::new(store), &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_while_idle_costs_no_request() {
    let (mut server, proxy, store) = harmed().await;
    let links = links_on(store);
    for fault in [Fault::DropBefore, Fault::DropAfter, Fault::BlackHole] {
        proxy.harm_next(fault);
        let token = links.mint(one_time()).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        proxy.harm_next(fault);
        let redeemed = links.redeem(&token).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert!(redeemed.is_some(), "{fault:?}");
        assert!(links.redeem(&token).await.expect("answers").is_none(), "{fault:?}: a second winner");
    }
    // The first request after a restart finds the connection closed.
    server.restart().await;
    let token = links.mint(one_time()).await.expect("minted over a new connection");
    server.restart().await;
    assert!(links.redeem(&token).await.expect("answers").is_none(), "it was forgotten");
}

/// An application's own way to connect has a fault, which shows at one connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_panics_costs_its_connection_alone() {
    let server = RedisServer::start().await;
    let proxy = FaultProxy::start(server.address()).await.expect("a proxy");
    let client = redis::Client::open(format!("redis://{}/", proxy.address())).expect("a URL");
    for at_once in [true, false] {
        let (client, count) = (client.clone(), Arc::new(AtomicUsize::new(0)));
        let connect = move || {
            let panics = count.fetch_add(1, Ordering::Relaxed) == 1;
            assert!(!(panics && at_once), "a fault of the application's");
            let client = client.clone();
            async move {
                assert!(!panics, "a fault of the application's");
                client.get_multiplexed_async_connection().await
            }
        };
        let links = links_on(RedisLinkStore::connect_with(connect).await.expect("connected"));
        let token = links.mint(one_time()).await.expect("minted");
        proxy.harm_next(Fault::DropBefore);
        let error = links.redeem(&token).await.expect_err("the second connection is not made");
        assert_eq!(error.to_string(), "the link store is unavailable");
        assert!(links.redeem(&token).await.expect("over the third connection").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_whose_answer_was_lost_is_not_gone() {
    let (server, proxy, store) = harmed().await;
    let direct = links_on(connect(&server.url()).await);
    let cut = links_on(store);
    for fault in [Fault::DropAfter, Fault::Delay(Duration::from_millis(2500))] {
        let token = direct.mint(one_time()).await.expect("minted");
        proxy.harm_all(Some(fault));
        let attempts = join_all([&cut, &direct, &cut, &direct].map(|links| links.redeem(&token))).await;
        proxy.harm_all(None);
        let winners = attempts.iter().filter(|attempt| matches!(attempt, Ok(Some(_)))).count();
        assert!(winners <= 1, "{attempts:?}");
        if winners == 0 {
            // The use comes back in the background, over the connection that works again.
            redeemed_soon(&direct, &token).await;
        }
        assert!(direct.redeem(&token).await.expect("answers").is_none(), "{fault:?}: a second winner");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_whose_answer_was_lost_is_not_gone() {
    let (server, proxy, store) = harmed().await;
    let direct = links_on(connect(&server.url()).await);
    let cut = links_on(store);
    let token = direct.mint(one_time()).await.expect("minted");
    let redeemed = direct.redeem(&token).await.expect("answers").expect("a use");
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, redeemed.into_response("/file", false).headers()[SET_COOKIE].clone());
    let bearer = cut.bearer(&token, &headers);
    assert!(bearer.is_some());
    proxy.harm_all(Some(Fault::DropAfter));
    assert!(UsageLimit::reserve(&cut, &bearer, &()).await.is_err());
    proxy.harm_all(None);
    redeemed_soon(&direct, &token).await;
}

async fn redeemed_soon(links: &Links, token: &str) {
    let started = Instant::now();
    while links.redeem(token).await.expect("answers").is_none() {
        assert!(started.elapsed() < SOON, "the use is leased to nobody");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Numbers that are as good as random, the same at each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn fault(&mut self) -> Fault {
        match self.below(4) {
            0 => Fault::DropBefore,
            1 => Fault::DropAfter,
            2 => Fault::BlackHole,
            _ => Fault::Delay(Duration::from_millis(self.below(3000))),
        }
    }
}

/// How many links are raced for, how many at one time, and by how many each.
const LINKS: u8 = 200;
const TOGETHER: usize = 40;
const RACERS: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn of_races_over_a_bad_connection_as_many_win_as_there_are_uses() {
    let (server, proxy, harmed) = harmed().await;
    let direct = Arc::new(connect(&server.url()).await);
    let (harmed, proxy) = (Arc::new(harmed), Arc::new(proxy));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut dice = Dice(1);
    let links: Vec<_> = (0..LINKS)
        .map(|number| (LinkId::from_bytes([number; 16]), [1, 3, 17][usize::from(number % 3)]))
        .collect();
    for some in links.chunks(TOGETHER) {
        for (link, uses) in some {
            direct
                .mint(StoredLink::new(*link, "record", Some(*uses), now + 1000), now)
                .await
                .expect("minted");
        }
        let racing = some.iter().map(|(link, _)| {
            let (store, link) = (Arc::clone(&harmed), *link);
            tokio::spawn(async move { race(&store, link, now).await })
        });
        let racing = join_all(racing);
        tokio::pin!(racing);
        // Faults come and go until all races are run.
        let winners = loop {
            proxy.harm_all(Some(dice.fault()));
            if let Ok(winners) =
                tokio::time::timeout(Duration::from_millis(dice.below(400)), &mut racing).await
            {
                break winners;
            }
            proxy.harm_all(None);
            let started = Instant::now();
            while harmed.look(lease(some[0].0, 0), now).await.is_err() {
                assert!(started.elapsed() < SOON, "the service is not back");
                tokio::time::sleep(PAUSE).await;
            }
            if let Ok(winners) =
                tokio::time::timeout(Duration::from_millis(dice.below(400)), &mut racing).await
            {
                break winners;
            }
        };
        proxy.harm_all(None);
        for ((link, uses), won) in some.iter().zip(winners) {
            let won = won.expect("run");
            assert!(won <= *uses, "{won} won a link of {uses} uses");
            // What nobody heard of comes back within a minute, exactly.
            let later = now + CLAIM_SECONDS;
            let mut more = 0;
            while direct
                .reserve(lease(*link, 1000 + u64::from(more)), later + 100, later)
                .await
                .expect("answers")
            {
                more += 1;
            }
            assert_eq!(won + more, *uses, "{won} won, {more} were left");
        }
    }
}

fn lease(link: LinkId, number: u64) -> Lease {
    Lease { link, lease: LinkId::from_bytes((u128::from(number) + 1).to_be_bytes()) }
}

/// How many of those who redeem at once get a use and can spend it. After a 503 each tries anew, as another redemption.
async fn race(store: &Arc<RedisLinkStore>, link: LinkId, now: u64) -> u32 {
    let racers = (0..RACERS).map(|number| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut tries = 0;
            let lease = loop {
                let lease = lease(link, number + 10_000 * tries);
                match store.reserve(lease, now + 900, now).await {
                    Ok(true) => break lease,
                    Ok(false) => return false,
                    Err(_) => tries += 1,
                }
            };
            loop {
                if let Ok(spent) = store.commit(lease, now).await {
                    return spent;
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    });
    let won = join_all(racers).await;
    won.into_iter().map(|won| u32::from(won.expect("run"))).sum()
}
