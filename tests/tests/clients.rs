//! Real clients: a download that was cut is resumed, one that is fetched in pieces is exact.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::RANGE;
use secure_download::axum::Head;
use secure_download::{Download, FileKey, Gate, Stream};
use system_tests::{Http1, allow_everybody, cutting, program, serve_router};

const LENGTH: u64 = 300 << 20;

/// Where the network cuts the first connection.
const CUT: u64 = 100 << 20;

/// A server with one large file that notes which ranges are asked for.
struct Served {
    address: SocketAddr,
    folder: tempfile::TempDir,
    ranges: Arc<Mutex<Vec<String>>>,
}

type Shared = (Gate<(), Download>, Arc<Mutex<Vec<String>>>);

async fn file(State((gate, ranges)): State<Shared>, head: Head) -> Response {
    let range = head.fields(RANGE).next().map_or("", |value| value.to_str().expect("ASCII"));
    ranges.lock().expect("not poisoned").push(range.to_owned());
    gate.serve(&(), "file", &head).await.into_response()
}

impl Served {
    async fn start(length: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("media")).expect("made");
        write(&folder.path().join("media/file"), length);
        // Its file is new: only by length and date has it been left alone.
        let strategy = Stream::local(folder.path().join("media")).expect("a folder").replicated();
        let download = Download::new(FileKey::parse("file").expect("a key")).content_type("application/pdf");
        let gate = allow_everybody(HashMap::from([("file".to_owned(), download)]), strategy);
        let ranges = Arc::<Mutex<Vec<String>>>::default();
        let app = Router::new().fallback(file).with_state((gate, Arc::clone(&ranges)));
        Self { address: serve_router(app).await, folder, ranges }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("media/file")
    }

    fn downloaded(&self) -> PathBuf {
        self.folder.path().join("downloaded")
    }

    fn take_ranges(&self) -> Vec<String> {
        std::mem::take(&mut *self.ranges.lock().expect("not poisoned"))
    }

    fn assert_exact(&self) {
        let same =
            std::fs::read(self.path()).expect("read") == std::fs::read(self.downloaded()).expect("read");
        assert!(same, "what was downloaded is another file");
    }
}

/// A file that is mostly holes, with its position written every 64 KiB, so that no piece passes for another.
fn write(path: &Path, length: u64) {
    let file = std::fs::File::create(path).expect("made");
    file.set_len(length).expect("a hole");
    for position in (0..length - 8).step_by(64 << 10) {
        file.write_all_at(&position.to_be_bytes(), position).expect("written");
    }
}

/// Runs a client, which must end with this code.
async fn run(name: &str, arguments: &[&str], code: i32) {
    let output = program(name).args(arguments).output().await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(output.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn curl_resumes() {
    let served = Served::start(LENGTH).await;
    let url = format!("http://{}/", cutting(served.address, CUT).await);
    let downloaded = served.downloaded();
    let downloaded = downloaded.to_str().expect("UTF-8");
    // curl(1): 18 is a partial file.
    run("curl", &["-sS", "-o", downloaded, &url], 18).await;
    let got = std::fs::metadata(downloaded).expect("a part").len();
    assert!(got > 0 && got < CUT, "{got} bytes and a head came through");
    run("curl", &["-sS", "--fail", "-C", "-", "-o", downloaded, &url], 0).await;
    served.assert_exact();
    assert_eq!(served.take_ranges(), ["".to_owned(), format!("bytes={got}-")]);
    // Once more: there is nothing left to get, and 416 says so.
    run("curl", &["-sS", "-C", "-", "-o", downloaded, &url], 0).await;
    served.assert_exact();
    assert_eq!(served.take_ranges(), [format!("bytes={LENGTH}-")]);
}

#[tokio::test]
async fn wget_resumes() {
    let served = Served::start(LENGTH).await;
    let url = format!("http://{}/", cutting(served.address, CUT).await);
    let downloaded = served.downloaded();
    let downloaded = downloaded.to_str().expect("UTF-8");
    // wget(1): 4 is a network failure.
    run("wget", &["-nv", "--no-config", "--tries=1", "-O", downloaded, &url], 4).await;
    let got = std::fs::metadata(downloaded).expect("a part").len();
    assert!(got > 0 && got < CUT, "{got} bytes and a head came through");
    run("wget", &["-nv", "--no-config", "-c", "--tries=1", "-O", downloaded, &url], 0).await;
    served.assert_exact();
    assert_eq!(served.take_ranges(), ["".to_owned(), format!("bytes={got}-")]);
}

#[tokio::test]
async fn aria2_fetches_over_eight_connections() {
    let served = Served::start(LENGTH).await;
    let url = format!("http://{}/", served.address);
    let folder = served.folder.path().to_str().expect("UTF-8");
    let arguments = [
        "--no-conf",
        "--quiet",
        "--file-allocation=none",
        "--max-connection-per-server=8",
        "--split=8",
        "--min-split-size=1M",
        "--dir",
        folder,
        "--out=downloaded",
        &url,
    ];
    run("aria2c", &arguments, 0).await;
    served.assert_exact();
    let ranges = served.take_ranges();
    assert!(ranges.iter().filter(|range| range.starts_with("bytes=")).count() >= 7, "{ranges:?}");
}

/// As pdf.js reads a document: a plain GET that is given up once its head is there, then pieces as the pages need them.
#[tokio::test]
async fn pieces_in_any_order() {
    const PIECE: u64 = 64 << 10;
    const PIECES: u64 = 80;
    let length = PIECES * PIECE - 1000;
    let served = Served::start(length).await;
    // Two seconds later the tag would be strong by itself.
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let set_old = |path: &Path| {
        std::fs::File::options().append(true).open(path).expect("open").set_modified(old).expect("set");
    };
    set_old(&served.path());
    let mut first = Http1::connect(served.address).await;
    first.send("GET", "/", &[]).await;
    let head = Http1::connect(served.address).await.ask("HEAD", "/", &[]).await;
    drop(first);
    assert_eq!(head.field("accept-ranges"), Some("bytes"));
    assert_eq!(head.field("content-length"), Some(&*length.to_string()));
    let tag = head.field("etag").expect("a tag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");

    let content = std::fs::read(served.path()).expect("read");
    let mut client = Http1::connect(served.address).await;
    let piece = |number: u64| {
        let first = number * PIECE;
        (first, (first + PIECE).min(length) - 1)
    };
    // The last first, where a document's table is, then here and there: 29 and 80 have no common divisor.
    for number in (0..PIECES).map(|turn| (PIECES - 1 + 29 * turn) % PIECES) {
        let (first, last) = piece(number);
        let fields = [format!("Range: bytes={first}-{last}"), format!("If-Range: {tag}")];
        let answer = client.ask("GET", "/", &fields).await;
        assert_eq!(answer.status, 206, "{number}");
        assert_eq!(answer.field("content-range"), Some(&*format!("bytes {first}-{last}/{length}")));
        let place = usize::try_from(first).expect("small")..=usize::try_from(last).expect("small");
        assert!(answer.body == content[place], "piece {number}");
    }

    // Replaced by another document of the same length: no piece of it passes for one of the first.
    let other = served.folder.path().join("other");
    std::fs::write(&other, vec![7; content.len()]).expect("written");
    std::fs::rename(&other, served.path()).expect("replaced");
    let answer = client.ask("GET", "/", &["Range: bytes=0-9".to_owned(), format!("If-Range: {tag}")]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == vec![7; content.len()] && answer.field("etag") != Some(&tag));
}
