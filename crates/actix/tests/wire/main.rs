//! What a client sees on the wire, through a [`DownloadServer`] on a loopback port.

#[path = "../../../axum/tests/wire/adapter.rs"]
mod adapter;

use std::future::{Ready as Done, ready};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Payload, Server, ServerHandle};
use actix_web::error::ErrorImATeapot;
use actix_web::middleware::Compress;
use actix_web::{App, FromRequest, HttpRequest, HttpServer, web};
use adapter::{LARGE, Ready, User, answer, ask, capped_gate, gate, media, plain_gate};
use secure_download_actix::{DownloadServer, ListeningSocket, download, download_named, except_downloads};
use secure_download_core::{Concurrency, Decision, Download, Gate};
use secure_download_stream::Stream;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

impl FromRequest for User {
    type Error = actix_web::Error;
    type Future = Done<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let signed_in = request.headers().contains_key("x-user");
        ready(signed_in.then_some(Self).ok_or_else(|| ErrorImATeapot("the app's own words")))
    }
}

const PATIENT: Duration = Duration::from_secs(60);

/// A server that ends with the test.
struct Served {
    address: SocketAddr,
    server: ServerHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

fn run(address: SocketAddr, server: Server) -> Served {
    let served = Served { address, server: server.handle() };
    actix_web::rt::spawn(server);
    served
}

/// Serves what `$app` makes, with one worker, so that requests share a thread.
macro_rules! serve {
    ($stall:expr, $app:expr) => {{
        let (listener, address) = listener();
        let server = DownloadServer::new(move || $app)
            .stall_timeout($stall)
            .configure(|builder| builder.workers(1).disable_signals());
        run(address, server.listen(listener).expect("a server"))
    }};
}

fn serve_gate(gate: Gate<Option<User>, Download>, stall: Duration) -> Served {
    serve!(stall, App::new().route("/files/{id}", download::<Option<User>>(gate.clone())))
}

#[actix_web::test]
async fn statuses_and_bodies() {
    let media = media();
    let served = serve_gate(plain_gate(media.path()), PATIENT);
    adapter::check_statuses_and_bodies(served.address).await;
}

#[actix_web::test]
async fn pipelined_requests_are_answered_in_order() {
    let media = media();
    let served = serve_gate(plain_gate(media.path()), PATIENT);
    adapter::check_pipelined_requests(served.address).await;
}

#[actix_web::test]
async fn head_and_first_chunk_leave_together() {
    let gate = gate(Ready, Concurrency::new(1), |_| {});
    let served = serve_gate(gate, PATIENT);
    adapter::check_head_and_first_chunk_leave_together(served.address).await;
}

#[actix_web::test]
async fn who_stops_reading_is_cut_and_makes_room() {
    const CAP: usize = 4;
    let media = media();
    let (gate, outcomes) = capped_gate(media.path(), CAP);
    let served = serve_gate(gate, Duration::from_millis(300));
    adapter::check_who_stops_reading_is_cut_and_makes_room(served.address, CAP, outcomes).await;
}

#[actix_web::test]
async fn actix_s_own_server_shows_the_same() {
    let media = media();
    let gate = plain_gate(media.path());
    let (listener, address) = listener();
    let app = move || App::new().route("/files/{id}", download::<Option<User>>(gate.clone()));
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
    let served = run(address, server);
    adapter::check_statuses_and_bodies(served.address).await;
    adapter::check_pipelined_requests(served.address).await;
}

#[actix_web::test]
async fn other_methods_can_have_handlers_of_their_own() {
    let media = media();
    let gate = plain_gate(media.path());
    let served = serve!(PATIENT, {
        let delete = web::delete().to(async || "deleted");
        let get = download::<Option<User>>(gate.clone());
        App::new().service(web::resource("/files/{id}").route(delete).route(get))
    });
    let mut stream = TcpStream::connect(served.address).await.expect("connected");
    ask(&mut stream, "DELETE", "/files/small", "").await;
    assert_eq!(answer(&mut stream, true).await.1, b"deleted");
    ask(&mut stream, "PUT", "/files/small", "content-length: 0\r\n").await;
    assert!(answer(&mut stream, true).await.0.starts_with("http/1.1 405 "));
}

#[actix_web::test]
async fn the_app_s_own_rejections_pass_through() {
    let media = media();
    let strategy = Stream::local(media.path()).expect("a folder");
    let catalog = std::collections::HashMap::<String, Download>::new();
    let gate = Gate::builder(catalog)
        .authorizer(|_: &User, _: &Download| Decision::Allow)
        .strategy(strategy)
        .build();
    let served = serve!(PATIENT, App::new().route("/files/{id}", download::<User>(gate.clone())));
    let mut stream = TcpStream::connect(served.address).await.expect("connected");
    ask(&mut stream, "GET", "/files/small", "").await;
    let (head, body) = answer(&mut stream, true).await;
    assert!(head.starts_with("http/1.1 418 "), "{head}");
    assert_eq!(body, b"the app's own words");
}

#[actix_web::test]
async fn compression_leaves_downloads_alone() {
    let media = media();
    let gate = plain_gate(media.path());
    let served = serve!(
        PATIENT,
        App::new()
            .route("/files/{id}", download::<Option<User>>(gate.clone()))
            .route("/page", web::get().to(async || "page ".repeat(1000)))
            .wrap(except_downloads(Compress::default()))
    );
    for (target, compressed) in [("/page", true), ("/files/small", false), ("/files/large", false)] {
        let mut stream = TcpStream::connect(served.address).await.expect("connected");
        ask(&mut stream, "GET", target, "x-user: a\r\naccept-encoding: gzip\r\n").await;
        let (head, _) = answer(&mut stream, false).await;
        assert_eq!(head.contains("content-encoding: gzip"), compressed, "{target}: {head}");
        assert_eq!(head.contains("content-encoding: "), compressed, "{target}: {head}");
        assert_eq!(head.contains("accept-ranges: bytes"), !compressed, "{target}: {head}");
    }
}

#[actix_web::test]
async fn the_peer_address_is_known() {
    let served = serve!(
        PATIENT,
        App::new().route(
            "/",
            web::get().to(async |request: HttpRequest| request.peer_addr().expect("a peer").to_string())
        )
    );
    let mut stream = TcpStream::connect(served.address).await.expect("connected");
    let mine = stream.local_addr().expect("an address").to_string();
    ask(&mut stream, "GET", "/", "").await;
    assert_eq!(answer(&mut stream, true).await.1, mine.as_bytes());
}

#[actix_web::test]
async fn who_closes_the_sending_side_is_answered() {
    let media = media();
    let served = serve_gate(plain_gate(media.path()), PATIENT);
    adapter::check_half_closed(served.address).await;
}

#[actix_web::test]
async fn a_request_names_its_host_once() {
    let media = media();
    let served = serve_gate(plain_gate(media.path()), PATIENT);
    adapter::check_hosts(served.address).await;
}

#[actix_web::test]
async fn the_second_head_has_its_time_too() {
    let media = media();
    let served = serve_gate(plain_gate(media.path()), PATIENT);
    adapter::check_second_head_has_its_time(served.address).await;
}

#[actix_web::test]
async fn a_route_with_another_number_of_parameters_says_so() {
    let media = media();
    let (gate, misrouted) = adapter::gate_with_misrouted(media.path());
    let served = serve!(PATIENT, {
        let sole = || download::<Option<User>>(gate.clone());
        let named = || download_named::<Option<User>>(gate.clone());
        let tenant =
            web::scope("/tenants/{tenant}").route("/files/{id}", sole()).route("/files/{id}/{name}", named());
        App::new().service(tenant).route("/files/{id}", sole()).route("/files/{id}/{name}", named())
    });
    adapter::check_routes(served.address, misrouted).await;
}

#[cfg(unix)]
#[actix_web::test]
async fn a_unix_socket_is_as_good() {
    let media = media();
    let path = media.path().join("app.sock");
    let socket = ListeningSocket::bind(&format!("unix:{}", path.display())).expect("bound");
    let gate = plain_gate(media.path());
    let app = move || App::new().route("/files/{id}", download::<Option<User>>(gate.clone()));
    let server = DownloadServer::new(app).configure(|builder| builder.workers(1).disable_signals());
    let (_, unused) = listener();
    let _served = run(unused, server.listen(socket).expect("a server"));
    let stream = tokio::net::UnixStream::connect(&path).await.expect("connected");
    adapter::check_statuses_and_bodies_over(stream).await;
}

#[actix_web::test]
async fn running_downloads_finish_when_the_server_ends() {
    let media = media();
    let served = serve_gate(plain_gate(media.path()), PATIENT);
    let mut idle = TcpStream::connect(served.address).await.expect("connected");
    ask(&mut idle, "GET", "/files/small", "x-user: a\r\n").await;
    answer(&mut idle, true).await;
    let mut running = TcpStream::connect(served.address).await.expect("connected");
    ask(&mut running, "GET", "/files/large", "x-user: a\r\n").await;
    assert!(answer(&mut running, false).await.0.starts_with("http/1.1 200 "));
    let ended = actix_web::rt::spawn(served.server.stop(true));
    assert_eq!(idle.read(&mut [0]).await.expect("closed"), 0, "a connection without a request is closed");
    let mut body = Vec::new();
    running.read_to_end(&mut body).await.expect("the end");
    assert_eq!(body.len(), LARGE);
    ended.await.expect("no panic");
}
