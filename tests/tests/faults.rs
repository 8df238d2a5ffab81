//! Faults while downloads run: nothing leaks, nothing is mixed up, and the service goes on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use futures::future::join_all;
use object_store::{ObjectStore, ObjectStoreExt as _};
use secure_download::axum::{DownloadListener, download};
use secure_download::{
    Concurrency, Decision, DeliveryStrategy, Download, Event, FileKey, Gate, Outcome, Stream,
};
use system_tests::{Answer, Http1, ProxyServer, ProxySite, S3Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

const LENGTH: usize = 24 << 20;

/// What takes longer has failed the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service with so many places, and what its gate told.
struct Service {
    address: SocketAddr,
    /// Granted and not ended.
    running: Arc<AtomicI64>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

impl Service {
    async fn start(strategy: impl DeliveryStrategy + 'static, places: usize, stall: Duration) -> Self {
        let (running, outcomes) = (Arc::<AtomicI64>::default(), Arc::<Mutex<Vec<Outcome>>>::default());
        let (open, ended) = (Arc::clone(&running), Arc::clone(&outcomes));
        let files = ["large", "other"]
            .map(|name| (name.to_owned(), Download::new(FileKey::parse(name).expect("a key"))));
        let granted = Mutex::new(std::collections::HashSet::new());
        let gate = Gate::builder(HashMap::from(files))
            .authorizer(|(): &(), _: &Download| Decision::Allow)
            .strategy(strategy)
            .concurrency(Concurrency::new(places))
            .observer(move |event: &Event<'_>| {
                let mut granted = granted.lock().expect("not poisoned");
                match event {
                    Event::Granted { audit_id, .. } => {
                        granted.insert(*audit_id);
                        open.fetch_add(1, Ordering::SeqCst);
                    }
                    Event::Delivered { audit_id, outcome, .. } => {
                        assert!(granted.remove(audit_id), "delivered without a grant");
                        ended.lock().expect("not poisoned").push(*outcome);
                        open.fetch_sub(1, Ordering::SeqCst);
                    }
                    Event::Refused { audit_id, .. } if granted.remove(audit_id) => {
                        open.fetch_sub(1, Ordering::SeqCst);
                    }
                    _ => {}
                }
            })
            .build();
        let app = Router::new().route("/{id}", download::<(), _>(gate));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let listener = DownloadListener::new(listener).stall_timeout(stall);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, running, outcomes }
    }

    async fn get(&self, id: &str) -> Answer {
        Http1::connect(self.address).await.ask("GET", &format!("/{id}"), &[]).await
    }

    /// A connection on which the first bytes of a large file have come.
    async fn begin(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
        let mut start = [0; 15];
        stream.read_exact(&mut start).await.expect("a head");
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        stream
    }

    /// Every grant has come to its end.
    async fn all_ended(&self) {
        until("every grant has ended", || self.running.load(Ordering::SeqCst) == 0).await;
    }

    fn take_outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes.lock().expect("not poisoned"))
    }
}

/// Lets others run until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How many descriptors of this process are open beneath the folder.
fn open_beneath(folder: &Path) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("descriptors").filter_map(Result::ok);
    let target = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    target.filter(|target| target.starts_with(folder) && target != folder).count()
}

fn media() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("large"), vec![b'a'; LENGTH]).expect("written");
    std::fs::write(folder.path().join("other"), b"other").expect("written");
    folder
}

async fn local(folder: &Path, places: usize, stall: Duration) -> Service {
    Service::start(Stream::local(folder).expect("a folder"), places, stall).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_resets_in_mid_body_leave_nothing_behind() {
    let media = media();
    let service = local(media.path(), 200, Duration::from_secs(60)).await;
    let streams = join_all((0..200).map(|_| service.begin())).await;
    assert_eq!(service.get("other").await.status, 503, "every place is taken");
    for stream in streams {
        // A reset instead of an end.
        stream.set_zero_linger().expect("set");
        drop(stream);
    }
    service.all_ended().await;
    let outcomes = service.take_outcomes();
    let cut = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Cut { .. })).count();
    assert_eq!((outcomes.len(), cut), (200, 200));
    until("no descriptor is open", || open_beneath(media.path()) == 0).await;
    let answers = join_all((0..200).map(|_| service.get("other"))).await;
    assert!(
        answers.iter().all(|answer| answer.status == 200 && answer.body == b"other"),
        "every place is free"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_stop_are_cut_and_make_room() {
    let media = media();
    let service = local(media.path(), 40, Duration::from_secs(2)).await;
    let stalled = join_all((0..40).map(|_| service.begin())).await;
    service.all_ended().await;
    let outcomes = service.take_outcomes();
    assert_eq!(outcomes.len(), 40);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Cut { .. })), "{outcomes:?}");
    until("no descriptor is open", || open_beneath(media.path()) == 0).await;
    assert_eq!(service.get("large").await.body.len(), LENGTH);
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_deleted_cut_short_and_replaced_in_flight() {
    type Change = fn(&Path);
    let changes: [(&str, Change, bool); 3] = [
        ("deleted", |file| std::fs::remove_file(file).expect("removed"), true),
        (
            "cut short",
            |file| {
                let file = std::fs::OpenOptions::new().write(true).open(file).expect("opened");
                file.set_len(1000).expect("cut");
            },
            false,
        ),
        (
            "replaced",
            |file| {
                let new = file.with_extension("new");
                std::fs::write(&new, vec![b'b'; LENGTH]).expect("written");
                std::fs::rename(new, file).expect("renamed");
            },
            true,
        ),
    ];
    for (name, change, whole) in changes {
        let media = media();
        let service = local(media.path(), 100, Duration::from_secs(60)).await;
        let streams = join_all((0..20).map(|_| service.begin())).await;
        change(&media.path().join("large"));
        let bodies = join_all(streams.into_iter().map(|mut stream| async move {
            let mut rest = Vec::new();
            let mut piece = vec![0; 1 << 20];
            // Whole on a connection that is kept, or cut off.
            while body_of(&rest).is_none_or(|body| body.len() < LENGTH) {
                match stream.read(&mut piece).await {
                    Ok(count) if count > 0 => rest.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            body_of(&rest).expect("a head").to_vec()
        }))
        .await;
        for body in bodies {
            assert!(body.iter().all(|byte| *byte == b'a'), "{name}: a mixture");
            assert_eq!(body.len() == LENGTH, whole, "{name}: {} bytes", body.len());
        }
        service.all_ended().await;
        until("no descriptor is open", || open_beneath(media.path()) == 0).await;
        let answer = service.get("large").await;
        match name {
            "deleted" => assert_eq!(answer.status, 404),
            "cut short" => assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 1000)),
            _ => assert!(answer.status == 200 && answer.body.iter().all(|byte| *byte == b'b')),
        }
    }
}

fn body_of(received: &[u8]) -> Option<&[u8]> {
    let head = received.windows(4).position(|end| end == b"\r\n\r\n")?;
    Some(&received[head + 4..])
}

/// Passes connections on to a store while it is up, and cuts them all when it goes down.
struct Relay {
    address: SocketAddr,
    up: Arc<AtomicBool>,
    down: tokio::sync::watch::Sender<()>,
}

impl Relay {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (up, down) = (Arc::new(AtomicBool::new(true)), tokio::sync::watch::Sender::new(()));
        let (is_up, downs) = (Arc::clone(&up), down.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !is_up.load(Ordering::SeqCst) {
                    continue;
                }
                let mut down = downs.subscribe();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = down.changed() => {}
                    }
                });
            }
        });
        Self { address, up, down }
    }

    fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::SeqCst);
        if !up {
            self.down.send_replace(());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_comes_and_goes() {
    let s3 = S3Server::start().await;
    let large = vec![b'a'; 2 << 20];
    for (name, bytes) in [("large", large.clone()), ("other", b"other".to_vec())] {
        s3.store().put(&name.into(), bytes.into()).await.expect("put");
    }
    let relay = Relay::to(s3.endpoint().trim_start_matches("http://").parse().expect("an address")).await;
    let (bucket, access, secret) = s3.names();
    let store: Arc<dyn ObjectStore> = Arc::new(
        object_store::aws::AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", relay.address))
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(bucket)
            .with_access_key_id(access)
            .with_secret_access_key(secret)
            .with_retry(object_store::RetryConfig { max_retries: 0, ..Default::default() })
            .build()
            .expect("a client"),
    );
    let service = Arc::new(Service::start(Stream::object_store(store), 1000, Duration::from_secs(60)).await);
    let (whole, refused, cut) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    for round in 0..6 {
        let downloads = join_all((0..20).map(|_| async {
            let mut stream = TcpStream::connect(service.address).await.expect("connected");
            let request = b"GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.expect("sent");
            let mut received = Vec::new();
            let _ = stream.read_to_end(&mut received).await;
            let body = body_of(&received).expect("a head");
            if received.starts_with(b"HTTP/1.1 503 ") {
                assert_eq!(body, b"503 Service Unavailable\n");
                refused.fetch_add(1, Ordering::Relaxed);
            } else {
                assert!(
                    received.starts_with(b"HTTP/1.1 200 "),
                    "{}",
                    String::from_utf8_lossy(&received[..50])
                );
                assert!(large.starts_with(body), "other bytes");
                let counter = if body.len() == large.len() { &whole } else { &cut };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }));
        let switching = async {
            // In the middle of answers, in every second round; between rounds in the others.
            if round % 2 == 0 {
                let given = || whole.load(Ordering::Relaxed) + refused.load(Ordering::Relaxed);
                let before = given();
                until("some have come", || given() > before).await;
            }
            relay.set_up(round % 3 == 2);
        };
        let _ = tokio::join!(downloads, switching);
    }
    relay.set_up(true);
    service.all_ended().await;
    assert_eq!(service.get("large").await.body, large, "it is up again");
    assert_eq!(service.get("other").await.body, b"other");
    let (whole, refused) = (whole.into_inner(), refused.into_inner());
    assert!(whole > 0 && refused > 0, "{whole} whole, {refused} refused, {} cut", cut.into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_restarts() {
    let bytes = vec![b'a'; LENGTH];
    for server in [ProxyServer::Nginx, ProxyServer::Caddy, ProxyServer::Apache, ProxyServer::Lighttpd] {
        let key = FileKey::parse("large").expect("a key");
        let catalog = HashMap::from([("large".to_owned(), Download::new(key))]);
        let mut site = ProxySite::behind(server).file("large", &bytes).catalog(catalog).start().await;
        let mut begun = Vec::new();
        for _ in 0..10 {
            let mut stream = TcpStream::connect(site.proxy()).await.expect("connected");
            let request = b"GET /alone/large HTTP/1.1\r\nHost: test\r\n\r\n";
            stream.write_all(request).await.expect("sent");
            let mut start = [0; 15];
            stream.read_exact(&mut start).await.expect("a head");
            assert_eq!(&start, b"HTTP/1.1 200 OK", "{server:?}");
            begun.push(stream);
        }
        site.stop_proxy();
        for mut stream in begun {
            // Some servers finish what is in their buffers; nobody gets other bytes, and nobody more than the file.
            let mut received = Vec::new();
            let _ = stream.read_to_end(&mut received).await;
            let body = body_of(&received).expect("a head");
            assert!(bytes.starts_with(body), "{server:?}: other bytes");
        }
        // Without the proxy there is no hand-off, whoever asks the application.
        let direct = Http1::connect(site.app()).await.ask("GET", "/alone/large", &[]).await;
        assert_eq!(direct.status, 502, "{server:?}");
        assert!(direct.field("x-accel-redirect").is_none() && direct.field("x-sendfile").is_none());
        site.start_proxy();
        let answer = site.get("/alone/large").await;
        assert!(answer.status == 200 && answer.body == bytes, "{server:?}: {}", answer.status);
    }
}
