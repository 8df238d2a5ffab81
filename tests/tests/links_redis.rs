//! Links on a real Redis server, and what becomes of them when it fails: never one winner too many.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use redis::AsyncCommands as _;
use secure_download::links::{LinkKey, LinkSigner, Links, NewLink, RedisLinkStore};
use system_tests::RedisServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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

/// Passes connections on to `server`, and cuts each one when its first answer to a script comes: the server has done
/// the work, and nobody hears of it.
async fn cutting_proxy(server: u16) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, server));
        }
    });
    address
}

async fn pass_on(mut client: TcpStream, server: u16) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut redeeming = false;
    loop {
        tokio::select! {
            count = client.read(&mut up) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                redeeming |= up[..count].windows(4).any(|word| word.eq_ignore_ascii_case(b"EVAL"));
                server.write_all(&up[..count]).await?;
            }
            count = server.read(&mut down) => {
                let count = count?;
                // `NOSCRIPT`: the script is not known yet and will be sent.
                if count == 0 || (redeeming && !down[..count].starts_with(b"-NOSCRIPT")) {
                    return Ok(());
                }
                client.write_all(&down[..count]).await?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_in_mid_redemption_makes_no_second_winner() {
    let server = RedisServer::start().await;
    let direct = links_at(&server.url()).await;
    let cut = links_at(&format!("redis://{}/", cutting_proxy(server.port()).await)).await;
    for _ in 0..20 {
        let token = mint(&direct).await;
        let attempts = join_all([&cut, &direct, &cut, &direct].map(|links| links.redeem(&token))).await;
        let winners = attempts.iter().filter(|attempt| matches!(attempt, Ok(Some(_)))).count();
        assert!(winners <= 1, "{attempts:?}");
        assert!(attempts.iter().any(Result::is_err), "nothing was cut: {attempts:?}");
        assert!(direct.redeem(&token).await.expect("answers").is_none(), "a lost answer holds its use");
    }
}
