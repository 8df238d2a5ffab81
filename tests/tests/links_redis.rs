//! Links on a real Redis server, and what becomes of them when it fails: never one winner too many.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::AsyncCommands as _;
use secure_download::links::{
    CLAIM_SECONDS, Lease, LeaseState, LinkId, LinkKey, LinkSigner, LinkStore as _, Links, NewLink,
    RedisLinkStore, StoredLink,
};
use system_tests::RedisServer;

async fn links_at(url: &str) -> Links {
    let signer =
        LinkSigner::new("tests", &LinkKey::new(1, "0123456789abcdef0123456789abcdef").expect("long enough"));
    Links::new(signer, RedisLinkStore::connect(url).await.expect("connected"))
}

fn one_time() -> NewLink {
    NewLink::one_time("record", Duration::from_secs(3600))
}

async fn mint(links: &Links) -> String {
    links.mint(one_time()).await.expect("minted")
}

async fn commands(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("connected")
}

/// Asks until the store answers again, as clients do after a 503.
async fn redeem_patiently(links: &Links, token: &str) -> bool {
    for _ in 0..200 {
        match links.redeem(token).await {
            Ok(redeemed) => return redeemed.is_some(),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("the store never came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_keeps_the_laws() {
    let server = RedisServer::start().await;
    let store = RedisLinkStore::connect(&server.url()).await.expect("connected").prefix("laws:");
    secure_download_conformance::link_store::check(Arc::new(store)).await;
    let mut commands = commands(&server).await;
    let keys: Vec<String> = commands.keys("*").await.expect("keys");
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("laws:")));
    for key in keys {
        let lives: i64 = commands.ttl(&key).await.expect("a time to live");
        assert!((1..=2400).contains(&lives), "{key} is cleaned up by itself: {lives}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_flushed_is_spent() {
    let server = RedisServer::start().await;
    let links = links_at(&server.url()).await;
    let (unused, used) = (mint(&links).await, mint(&links).await);
    assert!(links.redeem(&used).await.expect("answers").is_some());
    let mut commands = commands(&server).await;
    let _: () = redis::cmd("FLUSHALL").query_async(&mut commands).await.expect("flushed");
    for token in [unused, used] {
        assert!(links.redeem(&token).await.expect("answers").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eviction_spends_and_never_gives() {
    let server = RedisServer::start().await;
    let links = links_at(&server.url()).await;
    let mut commands = commands(&server).await;
    let mut tokens = Vec::new();
    for _ in 0..200 {
        tokens.push(mint(&links).await);
    }
    for token in &tokens[..100] {
        assert!(links.redeem(token).await.expect("answers").is_some());
    }
    // As an operator does who has not read the documentation.
    for (name, value) in [("maxmemory-policy", "allkeys-random"), ("maxmemory", "2mb")] {
        let mut set = redis::cmd("CONFIG");
        let _: () = set.arg("SET").arg(name).arg(value).query_async(&mut commands).await.expect("set");
    }
    for number in 0..2000 {
        let _: () = commands.set(format!("other:{number}"), "x".repeat(1000)).await.expect("stored");
    }
    let mut lost = 0;
    for (number, token) in tokens.iter().enumerate() {
        let redeemed = links.redeem(token).await.expect("answers").is_some();
        assert!(!(redeemed && number < 100), "a second winner");
        lost += usize::from(!redeemed && number >= 100);
        assert!(links.redeem(token).await.expect("answers").is_none(), "a second winner");
    }
    assert!(lost > 0, "nothing was evicted, so nothing was shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_forgets_spends_everything() {
    let mut server = RedisServer::start().await;
    let links = links_at(&server.url()).await;
    let (unused, used) = (mint(&links).await, mint(&links).await);
    assert!(links.redeem(&used).await.expect("answers").is_some());
    server.restart().await;
    for token in [unused, used] {
        assert!(!redeem_patiently(&links, &token).await);
    }
    let fresh = mint(&links).await;
    assert!(redeem_patiently(&links, &fresh).await, "the application need not be restarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_lets_nobody_in() {
    let mut server = RedisServer::start().await;
    let links = links_at(&server.url()).await;
    let token = mint(&links).await;
    server.kill();
    let error = links.redeem(&token).await.expect_err("nobody answers");
    assert_eq!(error.to_string(), "the link store is unavailable");
    assert!(links.mint(one_time()).await.is_err());
}

/// How many fields of links and commands a server has, as it says itself.
async fn load(commands: &mut redis::aio::MultiplexedConnection) -> (usize, u64) {
    let keys: Vec<String> = commands.keys("*:link:*").await.expect("keys");
    let mut fields = 0;
    for key in keys {
        fields += commands.hlen::<_, usize>(&key).await.expect("a hash");
    }
    let info: String =
        redis::cmd("INFO").arg("commandstats").query_async(&mut *commands).await.expect("statistics");
    let calls =
        info.lines().filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok());
    (fields, calls.sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_keeps_few_leases_and_takes_few_commands() {
    let server = RedisServer::start().await;
    let store = RedisLinkStore::connect(&server.url()).await.expect("connected");
    let mut commands = commands(&server).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for (number, uses) in [(1, None), (2, Some(1))] {
        let link = LinkId::from_bytes([number; 16]);
        store.mint(StoredLink::new(link, "record", uses, now + 3600), now).await.expect("minted");
        let mut seen = Vec::new();
        let mut leases = 0_u128;
        for count in [200, 5_000] {
            let before = load(&mut commands).await.1;
            for _ in 0..count {
                leases += 1;
                // Each as a request whose answer is 304.
                let lease = Lease { link, lease: LinkId::from_bytes(leases.to_be_bytes()) };
                assert!(store.reserve(lease, now + 3600, now).await.expect("answers"));
                assert_eq!(store.acquire(lease, now).await.expect("answers"), LeaseState::Held);
                store.release(lease).await.expect("answers");
            }
            let (fields, calls) = load(&mut commands).await;
            seen.push((fields, (calls - before) / count));
        }
        let [(few_fields, few_calls), (many_fields, many_calls)] = seen[..] else { panic!("two counts") };
        assert!(many_fields <= few_fields, "{uses:?}: {seen:?}");
        // One that gave its use back long ago is dropped for each that gives it back now.
        assert!(many_calls <= few_calls + 5, "{uses:?}: {seen:?}");
    }
}

/// Keys as the first version wrote them: the index of a record was a set, of the keys of its links.
#[tokio::test(flavor = "multi_thread")]
async fn links_of_an_earlier_version_are_spent_and_in_nobodys_way() {
    let server = RedisServer::start().await;
    let links = links_at(&server.url()).await;
    let token = mint(&links).await;
    let id = links.look(&token).expect("good").id();
    let mut commands = commands(&server).await;
    let _: () = redis::cmd("FLUSHALL").query_async(&mut commands).await.expect("flushed");
    let (link, record) =
        (format!("secure-download:{{links}}:link:{id}"), "secure-download:{links}:record:record");
    let fields = [("l", "1"), ("e", "9999999999"), ("r", record)];
    let _: () = commands.hset_multiple(&link, &fields).await.expect("stored");
    let _: () = commands.sadd(record, &link).await.expect("stored");
    let of_issuer = commands.sadd("secure-download:{links}:issuer:", id.to_string());
    let _: () = of_issuer.await.expect("stored");

    assert!(links.redeem(&token).await.expect("answers").is_none(), "it is spent");
    let fresh = mint(&links).await;
    assert!(links.redeem(&fresh).await.expect("answers").is_some());
    let fresh = mint(&links).await;
    links.revoke(id).await.expect("revoked");
    links.revoke_record("record").await.expect("revoked");
    assert!(links.redeem(&fresh).await.expect("answers").is_none());
}

/// The most commands that a script has run, on average, since the last time this was asked.
async fn commands_in_a_script(commands: &mut redis::aio::MultiplexedConnection) -> u64 {
    let mut info = redis::cmd("INFO");
    let info: String = info.arg("commandstats").query_async(&mut *commands).await.expect("statistics");
    let calls = |line: &str| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    let scripts = info.lines().filter(|line| line.starts_with("cmdstat_eval")).filter_map(calls).sum::<u64>();
    let all = info.lines().filter_map(calls).sum::<u64>();
    let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut *commands).await.expect("reset");
    (all - scripts) / scripts.max(1)
}

/// Very many leases of one link end at once, and very many links are revoked. Other requests come between.
#[tokio::test(flavor = "multi_thread")]
async fn no_script_keeps_other_links_waiting() {
    const MANY: u16 = 5000;
    // Each of the 256 leases or links that one script may end takes 15 commands at most.
    const MOST: u64 = 3900;
    let server = RedisServer::start().await;
    let store = RedisLinkStore::connect(&server.url()).await.expect("connected");
    let mut commands = commands(&server).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let id = |number: u16| LinkId::from_bytes((u128::from(number) + 1).to_be_bytes());
    let link = id(0);
    let lease = |number| Lease { link, lease: id(number) };
    let minted = StoredLink::new(link, "record", Some(u32::from(MANY)), now + 3600);
    store.mint(minted, now).await.expect("minted");
    for number in 0..MANY {
        assert!(store.reserve(lease(number), now + 600, now).await.expect("answers"));
    }
    commands_in_a_script(&mut commands).await;
    let late = now + CLAIM_SECONDS;
    assert!(store.reserve(lease(MANY), now + 600, late).await.expect("answers"), "uses came back");
    let seen = commands_in_a_script(&mut commands).await;
    assert!((500..MOST).contains(&seen), "{seen}");
    assert!(store.commit(lease(MANY), late).await.expect("answers"));
    let mut number = MANY + 1;
    while store.reserve(lease(number), now + 600, late).await.expect("answers") {
        assert!(store.commit(lease(number), late).await.expect("answers"));
        number += 1;
    }
    commands_in_a_script(&mut commands).await;
    // All have spent their uses, and end at once.
    let before = LinkId::from_bytes([9; 16]);
    assert!(!store.reserve(Lease { link, lease: before }, now + 1200, now + 600).await.expect("answers"));
    let seen = commands_in_a_script(&mut commands).await;
    assert!((500..MOST).contains(&seen), "{seen}");
    for number in 1..=MANY {
        store.mint(StoredLink::new(id(number), "record", Some(1), now + 3600), now).await.expect("minted");
    }
    commands_in_a_script(&mut commands).await;
    store.revoke_record("record").await.expect("revoked");
    let seen = commands_in_a_script(&mut commands).await;
    assert!((500..MOST).contains(&seen), "{seen}");
    let links: Vec<String> = commands.keys("*").await.expect("keys");
    assert!(links.iter().all(|key| key.contains(":issuer:")), "{} keys are left", links.len());
}
