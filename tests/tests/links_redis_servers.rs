//! Links on every kind of Redis server: 6.2, over TLS, over a Unix socket, behind Sentinels, of a cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::cluster::ClusterClient;
use redis::{Client, ClientTlsConfig, TlsCertificates};
use secure_download::links::{LinkKey, LinkSigner, LinkStore, Links, NewLink, RedisLinkStore};
use secure_download_conformance::link_store;
use system_tests::{CertificateAuthority, RedisServer};

async fn laws(store: RedisLinkStore) {
    link_store::check(Arc::new(store)).await;
}

async fn command(server: &RedisServer, words: &[&str]) -> redis::Value {
    let client = Client::open(server.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connected");
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query_async(&mut connection).await.expect("done")
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_6_2_keeps_the_laws() {
    let server = RedisServer::start_6_2().await;
    laws(RedisLinkStore::connect(&server.url()).await.expect("connected")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_leads_to_a_server() {
    let server = RedisServer::start().await;
    let store = RedisLinkStore::connect(&server.unix_url()).await.expect("connected");
    redeems(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_and_checked() {
    let (authority, folder) = (CertificateAuthority::new(), tempfile::tempdir().expect("a folder"));
    let (certificate, key) = authority.files("localhost", folder.path());
    let (_server, port) = RedisServer::start_tls(&certificate, &key).await;
    let url = format!("rediss://localhost:{port}/");
    // The system does not trust this authority. No provider of rustls was installed, and nothing panics.
    let error = RedisLinkStore::connect(&url).await.expect_err("an authority that nobody knows");
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    let certificates = TlsCertificates {
        client_tls: None::<ClientTlsConfig>,
        root_cert: Some(authority.pem().into_bytes()),
    };
    let client = Client::build_with_tls(url.as_str(), certificates).expect("a client");
    let connect = move || {
        let client = client.clone();
        async move { client.get_multiplexed_async_connection().await }
    };
    redeems(RedisLinkStore::connect_with(connect).await.expect("connected")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_missing_is_told_at_once() {
    let server = RedisServer::start().await;
    let may = ["ACL", "SETUSER", "app", "on", ">known", "~secure-download:*", "+@all", "-ping"];
    command(&server, &may).await;
    command(&server, &["CONFIG", "SET", "requirepass", "secret"]).await;
    for (user, good) in [("", false), (":wrong@", false), (":secret@", true), ("app:known@", true)] {
        let url = server.url().replace("redis://", &format!("redis://{user}"));
        assert_eq!(RedisLinkStore::connect(&url).await.is_ok(), good, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_laws() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]).await;
    command(&server, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    let started = Instant::now();
    while !format!("{:?}", command(&server, &["CLUSTER", "INFO"]).await).contains("cluster_state:ok") {
        assert!(started.elapsed() < Duration::from_secs(30), "the cluster is not up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let client = ClusterClient::new([server.url()]).expect("a client");
    let connect = move || {
        let client = client.clone();
        async move { client.get_async_connection().await }
    };
    laws(RedisLinkStore::connect_with(connect).await.expect("connected").prefix("my app:")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_outlive_a_fail_over_that_a_sentinel_makes() {
    let mut master = RedisServer::start().await;
    let master_port = master.port().to_string();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &master_port]).await;
    let sentinel = RedisServer::start_sentinel(&master).await;
    // One Sentinel that nobody answers for stands before the one that is there.
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/links/0", sentinel.port());
    let links = links_on(RedisLinkStore::connect(&url).await.expect("connected"));
    let link = || NewLink::one_time("record", Duration::from_secs(3600));
    let (used, unused) =
        (links.mint(link()).await.expect("minted"), links.mint(link()).await.expect("minted"));
    assert!(links.redeem(&used).await.expect("answers").is_some());
    // The replica has it all before the master dies, and the Sentinel knows the replica.
    let started = Instant::now();
    loop {
        let known = format!("{:?}", command(&sentinel, &["SENTINEL", "REPLICAS", "links"]).await);
        let kept: redis::Value = command(&replica, &["DBSIZE"]).await;
        if known.contains(&replica.port().to_string()) && kept == command(&master, &["DBSIZE"]).await {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no replica: {known}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    master.kill();
    let started = Instant::now();
    let again = loop {
        match links.redeem(&used).await {
            Ok(again) => break again,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        assert!(started.elapsed() < Duration::from_secs(60), "the service never came back");
    };
    assert!(again.is_none(), "a second winner");
    assert!(links.redeem(&unused).await.expect("answers").is_some(), "and what was not used is good");
    assert!(links.redeem(&unused).await.expect("answers").is_none());
}

#[tokio::test]
async fn urls_that_make_no_sense_are_refused() {
    for url in [
        "",
        "http://127.0.0.1/",
        "redis://",
        "redis+sentinel://127.0.0.1",
        "redis+sentinel://127.0.0.1/",
        "redis+sentinel:///links",
        "redis+sentinel://127.0.0.1/links/zero",
        "redis+sentinel://127.0.0.1/links?password=x",
        "redis+sentinel://127.0.0.1:port/links",
    ] {
        assert!(RedisLinkStore::connect(url).await.is_err(), "{url}");
    }
}

fn links_on(store: impl LinkStore + 'static) -> Links {
    let key = LinkKey::new(1, "0123456789abcdef0123456789abcdef").expect("long enough");
    Links::new(LinkSigner::new("tests", &key), store)
}

async fn redeems(store: RedisLinkStore) {
    let links = links_on(store);
    let token = links.mint(NewLink::one_time("record", Duration::from_secs(60))).await.expect("minted");
    assert!(links.redeem(&token).await.expect("answers").is_some());
    assert!(links.redeem(&token).await.expect("answers").is_none());
}
