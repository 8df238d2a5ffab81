//! The same through the library's own accept loop, [`serve`], and what only it does.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use secure_download_axum::{DownloadListener, PeerAddr, serve};
use secure_download_core::{Concurrency, Download, Gate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::adapter::{self, Ready, User, answer, ask, capped_gate, gate, media, plain_gate};
use crate::{PATIENT, listening, routes};

async fn start(app: Router, stall: Duration) -> SocketAddr {
    let (listener, address) = listening(stall).await;
    tokio::spawn(serve(listener, app).into_future());
    address
}

async fn start_gate(gate: Gate<Option<User>, Download>, stall: Duration) -> SocketAddr {
    start(routes(gate), stall).await
}

#[tokio::test]
async fn answers_are_the_same() {
    let media = media();
    let address = start_gate(plain_gate(media.path()), PATIENT).await;
    adapter::check_statuses_and_bodies(address).await;
    adapter::check_pipelined_requests(address).await;
    let gate = gate(Ready, Concurrency::new(1), |_| {});
    adapter::check_head_and_first_chunk_leave_together(start_gate(gate, PATIENT).await).await;
}

#[tokio::test]
async fn who_stops_reading_is_cut_and_makes_room() {
    const CAP: usize = 4;
    let media = media();
    let (gate, outcomes) = capped_gate(media.path(), CAP);
    let address = start_gate(gate, Duration::from_millis(300)).await;
    adapter::check_who_stops_reading_is_cut_and_makes_room(address, CAP, outcomes).await;
}

#[tokio::test]
async fn who_closes_the_sending_side_is_answered() {
    let media = media();
    let address = start_gate(plain_gate(media.path()), PATIENT).await;
    adapter::check_half_closed(address).await;
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let media = media();
    adapter::check_hosts(start_gate(plain_gate(media.path()), PATIENT).await).await;
}

#[tokio::test]
async fn the_second_head_has_its_time_too() {
    let media = media();
    let (listener, address) = listening(PATIENT).await;
    let served = serve(listener, routes(plain_gate(media.path())));
    tokio::spawn(served.header_read_timeout(Duration::from_millis(300)).into_future());
    adapter::check_second_head_has_its_time(address).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_as_good() {
    let media = media();
    let path = media.path().join("app.sock");
    let listener = DownloadListener::bind(&format!("unix:{}", path.display())).expect("bound");
    let app = routes(plain_gate(media.path()))
        .route("/", get(|ConnectInfo(peer): ConnectInfo<PeerAddr>| async move { format!("{peer:?}") }));
    tokio::spawn(serve(listener, app).into_future());
    let mut stream = tokio::net::UnixStream::connect(&path).await.expect("connected");
    ask(&mut stream, "GET", "/", "").await;
    assert_eq!(answer(&mut stream, true).await.1, b"Unix");
    adapter::check_statuses_and_bodies_over(stream).await;
}

#[tokio::test]
async fn the_peer_address_is_known_and_a_head_has_its_limit() {
    let app =
        Router::new()
            .route(
                "/",
                get(|ConnectInfo(peer): ConnectInfo<PeerAddr>| async move {
                    peer.tcp().expect("TCP").to_string()
                }),
            )
            .route(
                "/socket",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
            );
    let address = start(app, PATIENT).await;
    for (target, field, status) in [("/", 8 * 1024, "200"), ("/", 20 * 1024, "431"), ("/socket", 8, "200")] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let mine = stream.local_addr().expect("an address").to_string();
        ask(&mut stream, "GET", target, &format!("x-long: {}\r\n", "a".repeat(field))).await;
        let (head, body) = answer(&mut stream, true).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{field}: {head}");
        assert_eq!(body == mine.as_bytes(), status == "200", "{field}");
    }
}

/// The clock runs ahead while all tasks wait.
#[tokio::test(start_paused = true)]
async fn who_does_not_finish_a_head_is_cut() {
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost: ", "PRI * HTTP/2.0\r\n"] {
        let address = start(Router::new(), 10 * PATIENT).await;
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(begun.as_bytes()).await.expect("sent");
        let started = tokio::time::Instant::now();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("the end");
        assert_eq!(started.elapsed().as_secs(), 60, "{begun:?}");
    }
}
