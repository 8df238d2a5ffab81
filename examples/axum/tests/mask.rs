//! The demo's contract, on axum, with the files in a bucket that only the reverse proxy reaches.

const PROGRAM: &str = env!("CARGO_BIN_EXE_demo-axum");

#[tokio::test(flavor = "multi_thread")]
async fn nginx() {
    demo::suite::run_masked(PROGRAM, "nginx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy() {
    demo::suite::run_masked(PROGRAM, "caddy").await;
}
