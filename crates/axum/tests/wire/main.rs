//! What a client sees on the wire, through `axum::serve` on a loopback port.

mod adapter;
mod ends;
mod http2;
mod own_loop;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use adapter::{Ready, User, answer, ask, capped_gate, gate, media, plain_gate};
use axum::Router;
use axum::extract::{ConnectInfo, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::routing::get;
use secure_download_axum::{DownloadListener, PeerAddr, compressible, download, download_named};
use secure_download_core::{Concurrency, Download, Gate};
use tokio::net::{TcpListener, TcpStream};
use tower_http::compression::CompressionLayer;

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.headers.contains_key("x-user").then_some(Self))
    }
}

const PATIENT: Duration = Duration::from_secs(60);

async fn listening(stall: Duration) -> (DownloadListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (DownloadListener::new(listener).stall_timeout(stall), address)
}

fn routes(gate: Gate<Option<User>, Download>) -> Router {
    Router::new().route("/files/{id}", download::<Option<User>, _>(gate))
}

fn routes_with_several_parameters(gate: &Gate<Option<User>, Download>) -> Router {
    let files = Router::new()
        .route("/files/{id}", download::<Option<User>, _>(gate.clone()))
        .route("/files/{id}/{name}", download_named::<Option<User>, _>(gate.clone()));
    Router::new().nest("/tenants/{tenant}", files.clone()).merge(files)
}

async fn serve(app: Router, stall: Duration) -> SocketAddr {
    let (listener, address) = listening(stall).await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn serve_gate(gate: Gate<Option<User>, Download>, stall: Duration) -> SocketAddr {
    serve(routes(gate), stall).await
}

#[tokio::test]
async fn statuses_and_bodies() {
    let media = media();
    let address = serve_gate(plain_gate(media.path()), PATIENT).await;
    adapter::check_statuses_and_bodies(address).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let media = media();
    let address = serve_gate(plain_gate(media.path()), PATIENT).await;
    adapter::check_pipelined_requests(address).await;
}

#[tokio::test]
async fn head_and_first_chunk_leave_together() {
    let gate = gate(Ready, Concurrency::new(1), |_| {});
    adapter::check_head_and_first_chunk_leave_together(serve_gate(gate, PATIENT).await).await;
}

#[tokio::test]
async fn who_stops_reading_is_cut_and_makes_room() {
    const CAP: usize = 4;
    let media = media();
    let (gate, outcomes) = capped_gate(media.path(), CAP);
    let address = serve_gate(gate, Duration::from_millis(300)).await;
    adapter::check_who_stops_reading_is_cut_and_makes_room(address, CAP, outcomes).await;
}

#[tokio::test]
async fn a_route_with_another_number_of_parameters_says_so() {
    let media = media();
    let (gate, misrouted) = adapter::gate_with_misrouted(media.path());
    let address = serve(routes_with_several_parameters(&gate), PATIENT).await;
    adapter::check_routes(address, misrouted).await;
}

#[tokio::test]
async fn other_methods_can_have_handlers_of_their_own() {
    let media = media();
    let route = download::<Option<User>, _>(plain_gate(media.path())).delete(|| async { "deleted" });
    let address = serve(Router::new().route("/files/{id}", route), PATIENT).await;
    let mut stream = TcpStream::connect(address).await.expect("connected");
    ask(&mut stream, "DELETE", "/files/small", "").await;
    assert_eq!(answer(&mut stream, true).await.1, b"deleted");
    ask(&mut stream, "PUT", "/files/small", "content-length: 0\r\n").await;
    assert!(answer(&mut stream, true).await.0.starts_with("http/1.1 405 "));
}

#[tokio::test]
async fn compression_leaves_downloads_alone() {
    let media = media();
    let app = Router::new()
        .route("/files/{id}", download::<Option<User>, _>(plain_gate(media.path())))
        .route("/page", get(|| async { "page ".repeat(1000) }))
        .layer(CompressionLayer::new().compress_when(compressible));
    let address = serve(app, PATIENT).await;
    for (target, compressed) in [("/page", true), ("/files/small", false), ("/files/large", false)] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        ask(&mut stream, "GET", target, "x-user: a\r\naccept-encoding: gzip\r\n").await;
        let (head, _) = answer(&mut stream, false).await;
        assert_eq!(head.contains("content-encoding: gzip"), compressed, "{target}: {head}");
        assert_eq!(head.contains("accept-ranges: bytes"), !compressed, "{target}: {head}");
    }
}

#[tokio::test]
async fn the_peer_address_is_known() {
    let app = Router::new().route(
        "/",
        get(|ConnectInfo(peer): ConnectInfo<PeerAddr>| async move { peer.tcp().expect("TCP").to_string() }),
    );
    let (listener, address) = listening(PATIENT).await;
    let service = app.into_make_service_with_connect_info::<PeerAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let mine = stream.local_addr().expect("an address").to_string();
    ask(&mut stream, "GET", "/", "").await;
    assert_eq!(answer(&mut stream, true).await.1, mine.as_bytes());
}
