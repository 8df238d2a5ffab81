//! The demo's contract, on axum.

#[tokio::test(flavor = "multi_thread")]
async fn stream() {
    demo::suite::run(env!("CARGO_BIN_EXE_demo-axum"), &["--strategy", "stream"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts() {
    demo::suite::run_accounts(env!("CARGO_BIN_EXE_demo-axum")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presign() {
    demo::suite::run_presigned(env!("CARGO_BIN_EXE_demo-axum")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_on_redis() {
    demo::suite::run_shared_links(env!("CARGO_BIN_EXE_demo-axum"), &[]).await;
}
