//! The demo's contract, on actix-web.

#[tokio::test(flavor = "multi_thread")]
async fn stream() {
    demo::suite::run(env!("CARGO_BIN_EXE_demo-actix"), &["--strategy", "stream"]).await;
}
