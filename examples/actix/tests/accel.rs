//! The demo's contract, on actix-web, with each reverse proxy sending the files.

use demo::suite::{Demo, Upload, Visitor};

const PROGRAM: &str = env!("CARGO_BIN_EXE_demo-actix");

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
