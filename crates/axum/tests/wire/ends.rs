//! How a server ends: running downloads finish, and nothing else holds it up.

use std::future::{IntoFuture as _, ready};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use secure_download_axum::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::adapter::{LARGE, answer, ask, media, plain_gate};
use crate::{PATIENT, listening, routes};

/// A server that can be told to end.
struct Ending {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
    _media: tempfile::TempDir,
}

async fn start(deadline: Duration) -> Ending {
    let media = media();
    let (listener, address) = listening(PATIENT).await;
    let (end, ended) = oneshot::channel();
    let server = serve(listener, routes(plain_gate(media.path())))
        .with_graceful_shutdown(async { drop(ended.await) })
        .shutdown_deadline(deadline);
    Ending { address, end, server: tokio::spawn(server.into_future()), _media: media }
}

/// A download of which the head has come.
async fn begin(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    ask(&mut stream, "GET", "/files/large", "x-user: a\r\n").await;
    assert!(answer(&mut stream, false).await.0.starts_with("http/1.1 200 "));
    stream
}

async fn rest_of(mut stream: TcpStream) -> usize {
    let mut rest = Vec::new();
    // A cut transfer may end in a reset.
    let _ = stream.read_to_end(&mut rest).await;
    rest.len()
}

#[tokio::test]
async fn running_downloads_finish() {
    let Ending { address, end, server, _media } = start(PATIENT).await;
    let mut idle = TcpStream::connect(address).await.expect("connected");
    ask(&mut idle, "GET", "/files/small", "x-user: a\r\n").await;
    answer(&mut idle, true).await;
    let unused = TcpStream::connect(address).await.expect("connected");
    let running = [begin(address).await, begin(address).await];

    end.send(()).expect("it listens");
    assert_eq!(rest_of(idle).await, 0, "a connection without a request is closed");
    assert_eq!(rest_of(unused).await, 0, "one that never had a request too");
    let refused = TcpStream::connect(address).await.expect_err("no new connections");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(!server.is_finished());
    for stream in running {
        assert_eq!(rest_of(stream).await, LARGE);
    }
    server.await.expect("no panic").expect("no error");
}

/// The clock runs ahead while all tasks wait.
#[tokio::test(start_paused = true)]
async fn connections_without_a_whole_request_hold_nothing_up() {
    for begun in [
        &b""[..],
        b"GET /files/lar",
        b"GET /files/large HTTP/1.1\r\nHost: a\r\n",
        b"PRI * HT",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ] {
        let Ending { address, end, server, _media } = start(PATIENT).await;
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(begun).await.expect("sent");
        end.send(()).expect("it listens");
        let started = tokio::time::Instant::now();
        server.await.expect("no panic").expect("no error");
        assert!(started.elapsed() < PATIENT / 2, "{}", begun.escape_ascii());
    }
}

#[tokio::test]
async fn the_deadline_cuts_what_is_left() {
    let Ending { address, end, server, _media } = start(Duration::from_millis(200)).await;
    let stalled = begin(address).await;
    end.send(()).expect("it listens");
    server.await.expect("no panic").expect("no error");
    assert!(rest_of(stalled).await < LARGE);
}

#[tokio::test]
async fn who_connected_before_the_signal_is_served() {
    let media = media();
    let (listener, address) = listening(PATIENT).await;
    let mut early = TcpStream::connect(address).await.expect("connected");
    ask(&mut early, "GET", "/files/large", "x-user: a\r\n").await;
    let server = serve(listener, routes(plain_gate(media.path()))).with_graceful_shutdown(ready(()));
    let server = tokio::spawn(server.into_future());
    let (head, body) = answer(&mut early, true).await;
    assert!(head.starts_with("http/1.1 200 ") && body.len() == LARGE);
    server.await.expect("no panic").expect("no error");
}

/// A connection that was accepted before the server was told to end, and whose request comes after.
#[tokio::test]
async fn a_first_request_may_come_late() {
    let Ending { address, end, server, _media } = start(PATIENT).await;
    let mut connected = Vec::new();
    for _ in 0..16 {
        connected.push(TcpStream::connect(address).await.expect("connected"));
    }
    // Accepted behind all others, and closed when the server ends.
    let mut idle = TcpStream::connect(address).await.expect("connected");
    ask(&mut idle, "GET", "/files/small", "x-user: a\r\n").await;
    answer(&mut idle, true).await;
    end.send(()).expect("it listens");
    assert_eq!(rest_of(idle).await, 0);
    for stream in &mut connected {
        ask(stream, "GET", "/files/small", "x-user: a\r\n").await;
    }
    for mut stream in connected {
        assert!(answer(&mut stream, true).await.0.starts_with("http/1.1 200 "));
    }
    server.await.expect("no panic").expect("no error");
}
