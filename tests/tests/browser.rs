//! Chromium plays a film and seeks in it.

use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use http::header::RANGE;
use secure_download::axum::Head;
use secure_download::{Download, FileKey, Gate, Stream};
use system_tests::{allow_everybody, program, serve_router};
use tokio::sync::mpsc;

/// Twelve seconds of H.264 and AAC, made with ffmpeg's `testsrc` and `sine`.
const CLIP: &[u8] = include_bytes!("../data/clip.mp4");

/// How many bytes stand between the two halves of the film: more than Chromium reads ahead.
const HOLE: u32 = 256 << 20;

const PAGE: &str = r#"<!doctype html><title>film</title><video id="film" src="/film" preload="auto" muted></video><script>
const film = document.getElementById("film");
const report = text => fetch("/report", { method: "POST", body: text });
film.addEventListener("loadeddata", () => { film.currentTime = 10; }, { once: true });
film.addEventListener("seeked", () => report(
    `${film.currentTime} of ${film.duration}, ${film.videoWidth} by ${film.videoHeight}, ready ${film.readyState >= 2}`));
film.addEventListener("error", () => report(`error ${film.error.code} ${film.error.message}`));
</script>"#;

/// Writes the clip with a hole in the middle of its media data, as if it were a long film.
///
/// ISO/IEC 14496-12: a box is its length, its type and its content; `stco` lists where the chunks of a track are.
fn write_film(path: &Path) -> u64 {
    let mut clip = CLIP.to_vec();
    let mut tables = Vec::new();
    let mut media = None;
    walk(&clip, 0..clip.len(), &mut |kind, place| match kind {
        b"stco" => tables.push(place.start),
        b"mdat" => media = Some(place),
        _ => {}
    });
    let media = media.expect("media data");
    let chunks: Vec<usize> = tables
        .iter()
        .flat_map(|table| (0..number(&clip, table + 12)).map(move |chunk| table + 16 + 4 * chunk as usize))
        .collect();
    // The first chunk of the second half starts behind the hole.
    let middle = u32::try_from((media.start + media.end) / 2).expect("small");
    let cut = chunks.iter().map(|entry| number(&clip, *entry)).filter(|start| *start >= middle).min();
    let cut = cut.expect("a chunk");
    for entry in chunks {
        let start = number(&clip, entry);
        if start >= cut {
            clip[entry..entry + 4].copy_from_slice(&(start + HOLE).to_be_bytes());
        }
    }
    let length = number(&clip, media.start) + HOLE;
    clip[media.start..media.start + 4].copy_from_slice(&length.to_be_bytes());
    let (before, behind) = clip.split_at(cut as usize);
    let file = std::fs::File::create(path).expect("made");
    file.write_all_at(before, 0).expect("written");
    file.write_all_at(behind, u64::from(cut + HOLE)).expect("written");
    u64::from(cut)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn walk(bytes: &[u8], boxes: std::ops::Range<usize>, visit: &mut impl FnMut(&[u8], std::ops::Range<usize>)) {
    let mut start = boxes.start;
    while start < boxes.end {
        let end = start + number(bytes, start) as usize;
        let kind = &bytes[start + 4..start + 8];
        visit(kind, start..end);
        if matches!(kind, b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl") {
            walk(bytes, start + 8..end, visit);
        }
        start = end;
    }
}

#[derive(Clone)]
struct Shared {
    gate: Gate<(), Download>,
    ranges: Arc<Mutex<Vec<String>>>,
    reports: mpsc::UnboundedSender<String>,
}

async fn film(State(shared): State<Shared>, head: Head) -> Response {
    let range = head.fields(RANGE).next().map_or("", |value| value.to_str().expect("ASCII"));
    shared.ranges.lock().expect("not poisoned").push(range.to_owned());
    shared.gate.request(&(), "film").inline().serve(&head).await.into_response()
}

#[tokio::test]
async fn chromium_seeks() {
    let folder = tempfile::tempdir().expect("a folder");
    let media = folder.path().join("media");
    std::fs::create_dir(&media).expect("made");
    let cut = write_film(&media.join("film"));
    let download = Download::new(FileKey::parse("film").expect("a key")).content_type("video/mp4");
    let strategy = Stream::local(&media).expect("a folder");
    let gate = allow_everybody(HashMap::from([("film".to_owned(), download)]), strategy);
    let (reports, mut received) = mpsc::unbounded_channel();
    let shared = Shared { gate, ranges: Arc::default(), reports };
    let ranges = Arc::clone(&shared.ranges);
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/film", get(film))
        .route(
            "/report",
            post(|State(shared): State<Shared>, text: String| async move {
                shared.reports.send(text).is_ok().to_string()
            }),
        )
        .with_state(shared);
    let address = serve_router(app).await;

    let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
    let mut chromium = program("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args([&profile, "--remote-debugging-port=0", &format!("http://{address}/")])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    let report = tokio::time::timeout(Duration::from_secs(90), received.recv()).await;
    chromium.kill().await.expect("ended");
    let report = report.expect("a report in time").expect("a report");
    let ranges = std::mem::take(&mut *ranges.lock().expect("not poisoned"));
    assert_eq!(report, "10 of 12, 128 by 96, ready true", "{ranges:?}");
    let behind =
        ranges.iter().filter_map(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    assert!(behind.max() > Some(cut), "no request for what is behind the hole at {cut}: {ranges:?}");
}
