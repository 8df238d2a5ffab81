//! The demos' pages in Chromium and Firefox, as people use them: the scripts in `tests/browser` drive these.

#![expect(clippy::print_stdout, reason = "how long each act took, for whoever runs it with --nocapture")]

mod demos;

use std::process::Stdio;
use std::time::Duration;

use demo::suite::Demo;
use system_tests::program;
use tokio::sync::Mutex;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser/main.mjs");

/// In bytes; larger uploads are refused.
const MAX_UPLOAD: &str = "12582912";

/// Carol has no files.
const USERS: [&str; 6] = ["--user", "alice:alice", "--user", "bob:bob", "--user", "carol:carol"];

const PATIENCE: Duration = Duration::from_secs(600);

/// Two browsers on two processors would wait for each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

async fn drive(name: &str, browser: &str) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let demo =
        Demo::start(&demos::program(name), &[&USERS[..], &["--max-upload", MAX_UPLOAD]].concat()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let output = program("node")
        .args([SCRIPT, browser, &format!("http://{}", demo.address())])
        .arg(folder.path())
        .arg(MAX_UPLOAD)
        // Without a locale of UTF-8, Chromium calls a file whose name is not ASCII `download`.
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("an end").expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    demo.stop().await;
}

#[tokio::test]
async fn axum_in_chromium() {
    drive("demo-axum", "chromium").await;
}

#[tokio::test]
async fn axum_in_firefox() {
    drive("demo-axum", "firefox").await;
}

#[tokio::test]
async fn actix_in_chromium() {
    drive("demo-actix", "chromium").await;
}

#[tokio::test]
async fn actix_in_firefox() {
    drive("demo-actix", "firefox").await;
}
