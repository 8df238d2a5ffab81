//! How the program ends, and where else than on a TCP port it listens.

use std::sync::Arc;

use http::StatusCode;
use rustix::process::Signal;
use system_tests::Http1;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

use super::{Demo, Upload, Visitor};

/// More than the kernel and the program hold for a client that does not read.
pub(super) const LONG: usize = 32 << 20;

pub(super) async fn check(program: &str) {
    running_downloads_finish(program).await;
    the_deadline_and_a_second_signal_end_it(program).await;
    unix_socket(program).await;
    socket_of_systemd(program).await;
}

/// A download of `target` at the host and port of `authority`, of which the first bytes have come.
pub(super) async fn begin(authority: &str, target: &str, field: &str) -> TcpStream {
    let mut stream = TcpStream::connect(authority).await.expect("connected");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n{field}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut status = [0; 15];
    stream.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200 OK");
    stream
}

/// How many bytes are left; a cut transfer may end in a reset.
pub(super) async fn rest_of(mut stream: impl AsyncRead + Unpin) -> usize {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    rest.len()
}

async fn running_downloads_finish(program: &str) {
    let demo = Demo::start(program, &["--drain", "60"]).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let id = alice.upload(Upload { name: "long.bin", content: &vec![7; LONG] }).await;
    assert_eq!(alice.get("/readyz").await.body, b"ready");
    let running = begin(&demo.address().to_string(), &format!("/files/{id}"), &alice.cookie_line()).await;
    // It keeps its connection, so that it needs no new one.
    let mut kept = Http1::connect(demo.address()).await;
    demo.signal(Signal::TERM);
    loop {
        let ready = alice.get("/readyz").await;
        if ready.status == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        assert_eq!(ready.status, StatusCode::OK);
    }
    let refused = kept.ask("GET", &format!("/files/{id}"), &[alice.cookie_line()]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.field("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert_eq!(alice.get("/healthz").await.status, StatusCode::OK);
    assert!(rest_of(running).await > LONG, "the head's rest and the whole file");
    demo.ended().await;
}

async fn the_deadline_and_a_second_signal_end_it(program: &str) {
    for (drain, signals) in [("1", 1), ("600", 2)] {
        let demo = Demo::start(program, &["--drain", drain]).await;
        let mut alice = Visitor::signed_in(demo.address(), "alice").await;
        let id = alice.upload(Upload { name: "long.bin", content: &vec![7; LONG] }).await;
        let stalled = begin(&demo.address().to_string(), &format!("/files/{id}"), &alice.cookie_line()).await;
        for signal in 0..signals {
            demo.signal(Signal::TERM);
            // Two signals that wait at the same time are one.
            while signal + 1 < signals && alice.get("/readyz").await.status == StatusCode::OK {}
        }
        demo.ended().await;
        assert!(rest_of(stalled).await < LONG);
    }
}

async fn unix_socket(program: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.sock");
    let listen = format!("unix:{}", path.display());
    for _ in 0..2 {
        // What the first left behind does not keep the second from listening.
        let demo = Demo::start(program, &["--listen", &listen]).await;
        assert_healthy(UnixStream::connect(&path).await.expect("connected")).await;
        demo.stop().await;
    }
}

/// As systemd hands a socket over, `sd_listen_fds(3)`.
async fn socket_of_systemd(program: &str) {
    let data = Arc::new(tempfile::tempdir().expect("a folder"));
    let hand_over = "import os, socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); \
                     os.dup2(s.fileno(), 3); os.set_inheritable(3, True); \
                     os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); \
                     os.execv(sys.argv[1], sys.argv[1:])";
    let mut command = Command::new("python3");
    command.args(["-c", hand_over, program, "--data"]).arg(data.path());
    super::program::piped(&mut command);
    let demo = Demo::start_as(command, data, &["--listen", "systemd"], &[]).await;
    assert_healthy(TcpStream::connect(demo.address()).await.expect("connected")).await;
    demo.stop().await;
}

async fn assert_healthy(mut stream: impl AsyncRead + tokio::io::AsyncWrite + Unpin) {
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok"), "{answer}");
}
