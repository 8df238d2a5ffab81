//! The demo's contract, on axum.

#[tokio::test(flavor = "multi_thread")]
async fn stream() {
    demo::suite::run(env!("CARGO_BIN_EXE_demo-axum"), &["--strategy", "stream"]).await;
}
