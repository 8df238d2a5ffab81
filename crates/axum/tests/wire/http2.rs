//! The same over HTTP/2, through the library's own server.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use secure_download_axum::serve;
use secure_download_core::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::adapter::{LARGE, capped_gate, media, plain_gate};
use crate::{PATIENT, listening, routes};

/// A client whose streams take so many bytes before it reads them.
async fn connect(address: SocketAddr, window: u32) -> SendRequest<Body> {
    let stream = TcpStream::connect(address).await.expect("connected");
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn get(client: &mut SendRequest<Body>, target: &str) -> Response<Incoming> {
    let request = Request::get(format!("http://test{target}")).header("x-user", "alice");
    let request = request.body(Body::empty()).expect("a request");
    client.send_request(request).await.expect("an answer")
}

#[tokio::test]
async fn files_come_whole() {
    let media = media();
    let (listener, address) = listening(PATIENT).await;
    tokio::spawn(serve(listener, routes(plain_gate(media.path()))).into_future());
    let mut client = connect(address, 64 * 1024).await;
    for (target, length) in [("/files/small", 220), ("/files/large", LARGE), ("/files/empty", 0)] {
        let response = get(&mut client, target).await;
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        assert_eq!(body.len(), length, "{target}");
    }
}

#[tokio::test]
async fn who_opens_no_window_is_reset_and_makes_room() {
    const CAP: usize = 4;
    let media = media();
    let (gate, mut outcomes) = capped_gate(media.path(), CAP);
    let (listener, address) = listening(Duration::from_millis(300)).await;
    tokio::spawn(serve(listener, routes(gate)).into_future());
    let mut attacker = connect(address, 0).await;
    let mut stalled = Vec::new();
    for target in ["/files/large", "/files/small", "/files/large", "/files/small"] {
        stalled.push(get(&mut attacker, target).await);
    }
    let mut visitor = connect(address, 64 * 1024).await;
    assert_eq!(get(&mut visitor, "/files/small").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..CAP {
        // A stream that is never reset must not hang the test.
        let ended = tokio::time::timeout(PATIENT, outcomes.recv()).await.expect("reset in time");
        assert!(ended.is_some());
    }
    let response = get(&mut visitor, "/files/large").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.expect("a whole body").to_bytes().len(), LARGE);
    for response in stalled {
        response.into_body().collect().await.expect_err("reset");
    }
}

/// A window that opens by one byte now and then is no reading.
#[tokio::test]
async fn who_takes_a_byte_now_and_then_is_reset() {
    let media = media();
    let (gate, mut outcomes) = capped_gate(media.path(), 2);
    let (listener, address) = listening(Duration::from_millis(300)).await;
    tokio::spawn(serve(listener, routes(gate)).into_future());
    let mut client = connect(address, 1).await;
    let mut body = get(&mut client, "/files/large").await.into_body();
    let mut now_and_then = tokio::time::interval(Duration::from_millis(20));
    let taking = async {
        while let Some(Ok(_)) = body.frame().await {
            now_and_then.tick().await;
        }
    };
    tokio::time::timeout(PATIENT, taking).await.expect("reset in time");
    let ended = outcomes.recv().await;
    assert!(matches!(ended, Some(Outcome::Cut { .. })), "{ended:?}");
}

/// A stream that reads goes on beside one that does not.
#[tokio::test]
async fn one_stalled_stream_costs_no_other() {
    let media = media();
    let (gate, mut outcomes) = capped_gate(media.path(), 2);
    let (listener, address) = listening(Duration::from_millis(300)).await;
    tokio::spawn(serve(listener, routes(gate)).into_future());
    let mut client = connect(address, 64 * 1024).await;
    let stalled = get(&mut client, "/files/large").await;
    let mut reading = get(&mut client, "/files/large").await.into_body();
    let mut taken = 0;
    let mut stalled_is_reset = false;
    while let Some(frame) = reading.frame().await {
        taken += frame.expect("no end").into_data().expect("data").len();
        // It reads slowly until then, and never stops.
        let moment = Duration::from_millis(20);
        if !stalled_is_reset && let Ok(ended) = tokio::time::timeout(moment, outcomes.recv()).await {
            assert!(matches!(ended, Some(Outcome::Cut { .. })), "{ended:?}");
            stalled_is_reset = true;
        }
    }
    assert!(stalled_is_reset && taken == LARGE, "{taken} bytes");
    stalled.into_body().collect().await.expect_err("reset");
}

#[tokio::test]
async fn running_streams_finish_when_the_server_ends() {
    let media = media();
    let (listener, address) = listening(PATIENT).await;
    let (end, ended) = oneshot::channel::<()>();
    let server =
        serve(listener, routes(plain_gate(media.path()))).with_graceful_shutdown(async { drop(ended.await) });
    let server = tokio::spawn(server.into_future());
    let mut client = connect(address, 64 * 1024).await;
    let running = get(&mut client, "/files/large").await;
    end.send(()).expect("it listens");
    let body = running.into_body().collect().await.expect("a whole body").to_bytes();
    assert_eq!(body.len(), LARGE);
    server.await.expect("no panic").expect("no error");
}

/// The clock runs ahead while all tasks wait.
#[tokio::test(start_paused = true)]
async fn a_connection_without_requests_is_closed() {
    let media = media();
    let (listener, address) = listening(PATIENT).await;
    tokio::spawn(serve(listener, routes(plain_gate(media.path()))).into_future());
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let started = tokio::time::Instant::now();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("the end");
    assert!(started.elapsed() >= Duration::from_secs(60) && started.elapsed() <= Duration::from_secs(150));
}
