//! The demo's contract, on axum, with each reverse proxy sending the files.

use demo::suite::{Demo, Upload, Visitor};

const PROGRAM: &str = env!("CARGO_BIN_EXE_demo-axum");

fn accel(proxy: &str) -> [&str; 6] {
    ["--strategy", "accel", "--proxy", proxy, "--proxy-listen", "127.0.0.1:0"]
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx() {
    demo::suite::run(PROGRAM, &accel("nginx")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy() {
    demo::suite::run(PROGRAM, &accel("caddy")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apache() {
    demo::suite::run(PROGRAM, &accel("apache")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lighttpd() {
    demo::suite::run(PROGRAM, &accel("lighttpd")).await;
}

/// The application sends no byte of a file, the proxy all; and the proxy is gone when the application is.
#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_sends_every_byte() {
    for proxy in ["nginx", "caddy", "apache", "lighttpd"] {
        let demo = Demo::start(PROGRAM, &accel(proxy)).await;
        let mut alice = Visitor::signed_in(demo.address(), "alice").await;
        let content = vec![b'x'; 46_287];
        let id = alice.upload(Upload { name: "photo.jpg", content: &content }).await;
        let path = format!("/files/{id}");
        assert_eq!(alice.get(&path).await.body, content, "{proxy}");
        let fields = demo.logged(&format!("GET {path} ")).await;
        assert_eq!(fields[..3], ["200", "0", "accel-redirect"], "{proxy}");
        let address = demo.address();
        demo.stop().await;
        assert!(std::net::TcpStream::connect(address).is_err(), "{proxy} still runs");
    }
}

/// A proxy that stays behind would keep the port, and serve nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_demo_takes_its_proxy_along() {
    for proxy in ["nginx", "caddy", "apache", "lighttpd"] {
        let demo = Demo::start(PROGRAM, &accel(proxy)).await;
        let address = demo.address();
        assert!(std::net::TcpStream::connect(address).is_ok(), "{proxy} runs");
        demo.kill().await;
        let gone = async { while tokio::net::TcpStream::connect(address).await.is_ok() {} };
        let gone = tokio::time::timeout(std::time::Duration::from_secs(30), gone).await;
        assert!(gone.is_ok(), "{proxy} still runs");
    }
}
