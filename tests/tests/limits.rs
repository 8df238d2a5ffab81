//! Limits as clients meet them: downloads at the same time, of everybody and of one subject, and bytes per second.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::request::Parts;
use http_body_util::BodyExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use secure_download::axum::{Head, download};
use secure_download::{
    Concurrency, Decision, Download, Event, FileKey, Gate, Outcome, Patience, Stream, Terms,
};
use system_tests::{Answer, Http1, Http2, allow_everybody, serve, serve_router};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const LARGE: usize = 32 << 20;
const SMALL: &str = "small\n";

/// Whoever the request says it is.
struct User(String);

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let name = parts.headers.get("x-user").map_or("", |name| name.to_str().expect("ASCII"));
        Ok(Self(name.to_owned()))
    }
}

fn as_user(name: &str) -> Vec<String> {
    vec![format!("X-User: {name}")]
}

fn media() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("small"), SMALL).expect("written");
    std::fs::write(folder.path().join("large"), vec![7; LARGE]).expect("written");
    folder
}

fn catalog() -> HashMap<String, Download> {
    let file = |name: &str| (name.to_owned(), Download::new(FileKey::parse(name).expect("a key")));
    HashMap::from([file("small"), file("large")])
}

/// Serves to everybody but mallory, and tells how downloads ended.
async fn serve_with(
    media: &FilePath,
    caps: Concurrency<User>,
) -> (SocketAddr, mpsc::UnboundedReceiver<Outcome>) {
    let (sender, outcomes) = mpsc::unbounded_channel();
    let gate = Gate::builder(catalog())
        .authorizer(|user: &User, _: &Download| Decision::allow_if(user.0 != "mallory"))
        .strategy(Stream::local(media).expect("a folder"))
        .concurrency(caps)
        .observer(move |event: &Event<'_>| {
            if let Event::Delivered { outcome, .. } = event {
                let _ = sender.send(*outcome);
            }
        })
        .build();
    (serve_router(Router::new().route("/{id}", download::<User, _>(gate))).await, outcomes)
}

/// A download that runs until its connection is dropped: its head has come, its bytes are not read.
async fn start_large(address: SocketAddr, user: &str) -> TcpStream {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("GET /large HTTP/1.1\r\nHost: test\r\nX-User: {user}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.expect("a head");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    stream
}

fn assert_busy(answer: &Answer) {
    assert_eq!(answer.status, 503);
    let seconds: u64 = answer.field("retry-after").expect("Retry-After").parse().expect("a number");
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(answer.body, b"503 Service Unavailable\n");
}

#[tokio::test]
async fn everybody_together() {
    let media = media();
    let (address, mut outcomes) = serve_with(media.path(), Concurrency::new(3)).await;
    let mut running = Vec::new();
    for user in ["alice", "bob", "carol"] {
        running.push(start_large(address, user).await);
    }
    let mut client = Http1::connect(address).await;
    assert_busy(&client.ask("GET", "/small", &as_user("dave")).await);
    assert_busy(
        &client.ask("GET", "/large", &[as_user("dave"), vec!["Range: bytes=0-0".into()]].concat()).await,
    );
    // Who may not download learns nothing of how busy it is.
    assert_eq!(client.ask("GET", "/small", &as_user("mallory")).await.status, 404);
    assert_eq!(client.ask("GET", "/unknown", &as_user("dave")).await.status, 404);

    drop(running.pop());
    assert!(matches!(outcomes.recv().await, Some(Outcome::Cut { bytes }) if bytes < LARGE as u64));
    for _ in 0..5 {
        // One after the other they fit in.
        let answer = client.ask("GET", "/small", &as_user("dave")).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, SMALL.as_bytes()));
    }
}

#[tokio::test]
async fn each_subject() {
    let media = media();
    let caps = Concurrency::<User>::new(100).per_subject(2, |user| user.0.clone());
    let (address, mut outcomes) = serve_with(media.path(), caps).await;
    let first = start_large(address, "alice").await;
    let _second = start_large(address, "alice").await;
    // Another connection or another protocol makes no other subject.
    assert_busy(&Http1::connect(address).await.ask("GET", "/small", &as_user("alice")).await);
    assert_busy(&Http2::connect(address).await.ask("GET", "/small", &as_user("alice")).await);
    assert_eq!(Http1::connect(address).await.ask("GET", "/small", &as_user("bob")).await.status, 200);
    assert!(matches!(outcomes.recv().await, Some(Outcome::Sent { bytes }) if bytes == SMALL.len() as u64));

    drop(first);
    assert!(matches!(outcomes.recv().await, Some(Outcome::Cut { .. })));
    assert_eq!(Http1::connect(address).await.ask("GET", "/small", &as_user("alice")).await.status, 200);
}

/// The streams of one HTTP/2 connection count like connections.
#[tokio::test]
async fn each_stream() {
    const CAP: usize = 4;
    let media = media();
    let caps = Concurrency::<User>::new(100).per_subject(CAP, |user| user.0.clone());
    let (address, _outcomes) = serve_with(media.path(), caps).await;
    let mut client = Http2::connect(address).await;
    let mut running = Vec::new();
    for _ in 0..CAP {
        running.push(client.start("GET", "/large", &as_user("alice")).await);
    }
    assert!(running.iter().all(|response| response.status() == 200));
    assert_busy(&client.ask("GET", "/small", &as_user("alice")).await);
}

/// Streams whose windows stay closed keep no place from others, under a server that does not reset them. What comes back in time
/// goes on.
#[tokio::test]
async fn stalled_streams_lose_their_places() {
    const STALL_TIMEOUT: Duration = Duration::from_millis(300);
    let media = media();
    let gate = Gate::builder(catalog())
        .authorizer(|_: &User, _: &Download| Decision::Allow)
        .strategy(Stream::local(media.path()).expect("a folder"))
        .concurrency(Concurrency::<User>::new(2))
        .build();
    let app = Router::new().route(
        "/{id}",
        get(async move |user: User, Path(id): Path<String>, head: Head| {
            gate.serve(&user, &id, &head.0.with_patience(Patience::new(STALL_TIMEOUT))).await.into_response()
        }),
    );
    let address = serve_router(app).await;
    let mut client = Http2::connect(address).await;
    let mut late = client.start("GET", "/large", &as_user("mallory")).await.into_body();
    let mut in_time = client.start("GET", "/large", &as_user("carol")).await.into_body();
    let mut taken = 0;
    // More than 16 MiB, so that it may pause for twice the stall timeout.
    while taken < 20 << 20 {
        taken += in_time.frame().await.expect("more").expect("a frame").into_data().expect("data").len();
    }
    let paused = Instant::now();
    let mut visitor = Http1::connect(address).await;
    while visitor.ask("GET", "/small", &as_user("dave")).await.status == 503 {
        assert!(paused.elapsed() < Duration::from_secs(60), "places are never given back");
        tokio::task::yield_now().await;
    }
    assert!(paused.elapsed() >= STALL_TIMEOUT / 2);
    while let Some(frame) = in_time.frame().await {
        taken += frame.expect("it goes on").into_data().expect("data").len();
    }
    assert_eq!(taken, LARGE, "without a place it goes on");

    let end = loop {
        match late.frame().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
    };
    end.expect_err("what comes back too late is cut");
}

/// A rate can be seen from one side only: however slow the machine, nothing comes sooner than the rate allows.
#[tokio::test]
async fn bytes_per_second() {
    const RATE: u64 = 128 << 10;
    let folder = tempfile::tempdir().expect("a folder");
    let content: Vec<u8> = (0..100 << 10).map(|n| (n % 251) as u8).collect();
    std::fs::write(folder.path().join("file"), &content).expect("written");
    let memory = object_store::memory::InMemory::new();
    memory.put(&"file".into(), content.clone().into()).await.expect("put");

    let slow = |strategy: Stream| {
        let download = Download::new(FileKey::parse("file").expect("a key"));
        let download = download.rate(NonZeroU64::new(RATE).expect("not zero"));
        allow_everybody(HashMap::from([("file".to_owned(), download)]), strategy)
    };
    let imposed = |strategy: Stream| {
        let terms = Terms::new().rate(NonZeroU64::new(RATE).expect("not zero"));
        let download = Download::new(FileKey::parse("file").expect("a key"));
        Gate::builder(HashMap::from([("file".to_owned(), download)]))
            .authorizer(move |(): &(), _: &Download| Decision::AllowWith(terms))
            .strategy(strategy)
            .build()
    };
    let local = || Stream::local(folder.path()).expect("a folder");
    let store = Arc::new(memory) as Arc<dyn ObjectStore>;
    let addresses = [
        serve(slow(local())).await,
        serve(slow(Stream::object_store(store))).await,
        serve(imposed(local())).await,
    ];
    let downloads = addresses.map(|address| {
        let content = content.clone();
        tokio::spawn(async move {
            let started = Instant::now();
            let answer = Http1::connect(address).await.ask("GET", "/file", &[]).await;
            assert!(answer.body == content);
            let whole = started.elapsed();
            let started = Instant::now();
            let fields = ["Range: bytes=0-40959,51200-92159".to_owned()];
            let answer = Http1::connect(address).await.ask("GET", "/file", &fields).await;
            let parts: Vec<_> = answer.byteranges().into_iter().map(|(_, _, bytes)| bytes).collect();
            assert!(parts == [&content[..40_960], &content[51_200..92_160]]);
            (whole, started.elapsed())
        })
    });
    // A tenth of a second's worth leaves at once.
    let least = |bytes: u64| Duration::from_secs_f64(bytes as f64 / RATE as f64) - Duration::from_millis(101);
    for download in downloads {
        let (whole, parts) = download.await.expect("both came");
        assert!(whole >= least(100 << 10), "{whole:?}");
        assert!(parts >= least(80 << 10), "{parts:?}");
    }
}
