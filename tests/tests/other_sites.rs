//! A page of another site opens files in windows, in Chromium, and looks at what becomes of them.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use secure_download::axum::{download, interstitial};
use secure_download::{Download, FileKey, Interstitial, Stream};
use system_tests::{allow_everybody, program, serve_router};
use tokio::sync::mpsc;

/// Reports as soon as every window but the first shows something. A download would have left the first one blank.
const PAGE: &str = r#"<!doctype html><title>another site</title><script>
const windows = ["/open/mine", "/open/none", "/files/mine", "/files/none"].map(path => window.open("ORIGIN" + path));
const state = w => { if (w.closed) return "closed"; try { return w.location.href; } catch { return "a page"; } };
const timer = setInterval(() => {
    if (windows.slice(1).some(w => state(w) === "about:blank")) return;
    clearInterval(timer);
    setTimeout(() => fetch("/report", { method: "POST", body: windows.map(state).join(", ") }), 1000);
}, 100);
</script>"#;

#[tokio::test]
async fn learn_nothing_of_a_file_in_chromium() {
    let folder = tempfile::tempdir().expect("a folder");
    let media = folder.path().join("media");
    std::fs::create_dir(&media).expect("made");
    std::fs::write(media.join("mine"), "my file").expect("written");
    let file = Download::new(FileKey::parse("mine").expect("a key"));
    let strategy = Stream::local(&media).expect("a folder");
    let gate = allow_everybody(HashMap::from([("mine".to_owned(), file)]), strategy);
    let guarded = download::<(), _>(gate.clone()).layer(interstitial(Interstitial::new()));
    let files = Router::new().route("/open/{id}", download::<(), _>(gate)).route("/files/{id}", guarded);
    let files = serve_router(files).await;

    // To a browser, `localhost` and `127.0.0.1` are two sites.
    let page = PAGE.replace("ORIGIN", &format!("http://localhost:{}", files.port()));
    let (reports, mut received) = mpsc::unbounded_channel();
    let report = post(async move |text: String| reports.send(text).is_ok().to_string());
    let other = Router::new().route("/", get(async move || Html(page))).route("/report", report);
    let other = serve_router(other).await;

    let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
    let mut chromium = program("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-popup-blocking", "--remote-debugging-port=0"])
        .args([&profile, &format!("http://{other}/")])
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let report = tokio::time::timeout(Duration::from_secs(90), received.recv()).await;
    chromium.kill().await.expect("ended");
    let report = report.expect("a report in time").expect("a report");
    let seen: Vec<_> = report.split(", ").collect();
    assert_ne!(seen[0], seen[1], "without the page before them, a file and no file differ: {report}");
    assert_eq!(seen[2], seen[3], "behind it they are alike: {report}");
}
