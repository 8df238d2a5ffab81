//! Downloads at the same time and bytes per second, as the command line sets them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Demo, Upload, Visitor};

pub(super) async fn check(program: &str) {
    each_user(program).await;
    all_users(program).await;
    small_forms(program).await;
}

/// Starts a download and leaves it running until the connection is dropped.
async fn start(address: SocketAddr, visitor: &Visitor, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("GET /files/{id} HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n", visitor.cookie_line());
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut status = [0; 15];
    stream.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200 OK");
    stream
}

async fn assert_busy(visitor: &mut Visitor, id: &str) {
    let answer = visitor.get(&format!("/files/{id}")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.field("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert!(answer.field("content-type").is_some_and(|kind| kind.starts_with("text/html")));
}

async fn each_user(program: &str) {
    let demo = Demo::start(program, &["--max-downloads-per-user", "1", "--rate", "10000"]).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let mut bob = Visitor::signed_in(demo.address(), "bob").await;
    let long = alice.upload(Upload { name: "long.bin", content: &[7; 200_000] }).await;
    let short = bob.upload(Upload { name: "short.bin", content: &[7; 15_000] }).await;
    let _running = start(demo.address(), &alice, &long).await;
    assert_busy(&mut alice, &long).await;

    let started = Instant::now();
    let answer = bob.get(&format!("/files/{short}")).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 15_000));
    // A tenth of a second's worth leaves at once. How much longer it takes is the machine's affair.
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(1_390), "15,000 bytes at 10,000 a second in {elapsed:?}");
}

async fn all_users(program: &str) {
    let demo = Demo::start(program, &["--max-downloads", "1", "--rate", "10000"]).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let mut bob = Visitor::signed_in(demo.address(), "bob").await;
    let long = alice.upload(Upload { name: "long.bin", content: &[7; 200_000] }).await;
    let of_bob = bob.listed().await.swap_remove(0);
    let _running = start(demo.address(), &alice, &long).await;
    assert_busy(&mut bob, &of_bob).await;
    // Whoever may not have the file learns nothing of how busy the site is.
    assert_eq!(bob.get(&format!("/files/{long}")).await.status, StatusCode::NOT_FOUND);
}

/// A form that does not come, or announces more than a form holds, keeps no connection open.
async fn small_forms(program: &str) {
    let demo = Demo::start(program, &["--stall-seconds", "1"]).await;
    for target in ["/login", "/files/x/share", "/files/x/links"] {
        for (fields, body, status) in [
            ("Content-Length: 10", "a", "408"),
            ("Content-Length: 10", "", "408"),
            ("Transfer-Encoding: chunked", "1\r\na\r\n", "408"),
            ("Content-Length: 99999999999\r\nExpect: 100-continue", "", "413"),
            ("Content-Length: 99999999999", "a=b", "413"),
        ] {
            // Elsewhere an anonymous visitor is told to sign in, whatever the form.
            let status = if target == "/login" { status } else { "401" };
            let mut stream = TcpStream::connect(demo.address()).await.expect("connected");
            let request = format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n{fields}\r\n\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut line = [0; 12];
            let mut answer = async || stream.read_exact(&mut line).await.map(|_| line);
            // The program's own patience is a second, this one is that of the tests.
            let answer = tokio::time::timeout(Duration::from_secs(60), answer()).await;
            let answer =
                answer.unwrap_or_else(|_| panic!("{target}, {fields}: no answer")).expect("an answer");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            // actix-web tells each client to go on before the application is asked.
            let goes_on = fields.contains("Expect") && answer == "HTTP/1.1 100";
            assert!(goes_on || answer == format!("HTTP/1.1 {status}"), "{target}, {fields}: {answer}");
        }
    }
    demo.stop().await;
}
