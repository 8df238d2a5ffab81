//! Files in local folders, through a gate as an application would.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use secure_download_core::{Body, BodyError, Decision, Download, FileKey, Gate, RequestHead};
use secure_download_stream::Stream;

/// Every file of `names`, under its own name as id and key.
fn gate(stream: Stream, files: impl IntoIterator<Item = Download>) -> Gate<(), Download> {
    let catalog: HashMap<String, Download> =
        files.into_iter().map(|file| (file.key().to_string(), file)).collect();
    Gate::builder(catalog).authorizer(|(): &(), _: &Download| Decision::Allow).strategy(stream).build()
}

fn file(key: &str) -> Download {
    Download::new(FileKey::parse(key).expect("a key"))
}

fn head(method: &Method, fields: &[(&'static str, &str)]) -> RequestHead {
    let mut headers = HeaderMap::new();
    for &(name, value) in fields {
        headers.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    RequestHead::new(method, &headers)
}

async fn collect(response: Response<Body>) -> (Vec<u8>, Option<BodyError>) {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    loop {
        match std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
            Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            Some(Err(error)) => return (bytes, Some(error)),
            None => return (bytes, None),
        }
    }
}

/// Bytes that differ wherever they are confused with others.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|position| (position.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn old(path: &Path) {
    let file = fs::File::options().write(true).open(path).expect("open");
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("set the time");
}

fn both_ways(root: &Path) -> [Stream; 2] {
    [Stream::local(root).expect("a folder"), Stream::local_portable(root).expect("a folder")]
}

#[tokio::test]
async fn chunks_are_small_until_the_reader_is_known_to_be_fast() {
    const SMALL: usize = 8 * 1024;
    const LARGE: usize = 64 * 1024;
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("a"), content(32 << 20)).expect("written");
    let gate = gate(Stream::local(root.path()).expect("a folder"), [file("a")]);
    let mut body = gate.serve(&(), "a", &head(&Method::GET, &[])).await.into_body();
    let mut next = async || {
        let chunk = std::future::poll_fn(|cx| body.poll_chunk(cx)).await;
        chunk.expect("not the end").expect("no error")
    };
    let mut sent = 0;
    while sent < LARGE {
        let chunk = next().await;
        assert!(chunk.len() <= SMALL, "{} after {sent}", chunk.len());
        sent += chunk.len();
    }
    // Taken at once, one chunk after the other. A panic at the end of the file: it never grew.
    let large = loop {
        let chunk = next().await;
        if chunk.len() == LARGE {
            break chunk;
        }
    };
    // A reader that takes so long for as much is to be left with little.
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(large);
    assert!(next().await.len() <= 4 * 1024);
}

#[tokio::test]
async fn files_of_every_size_come_back_whole() {
    // On a disk, and in memory where there is such a file system: they are read in different ways.
    let memory = Path::new("/dev/shm");
    let folders = [std::env::temp_dir()].into_iter().chain(memory.is_dir().then(|| memory.to_owned()));
    for folder in folders {
        let root = tempfile::tempdir_in(folder).expect("a folder");
        fs::create_dir(root.path().join("sub")).expect("a folder");
        for length in [0, 1, 4096, 65_535, 65_536, 65_537, 1_000_000] {
            let bytes = content(length);
            fs::write(root.path().join("sub/file"), &bytes).expect("write");
            for stream in both_ways(root.path()) {
                let gate = gate(stream, [file("sub/file")]);
                let response = gate.serve(&(), "sub/file", &head(&Method::GET, &[])).await;
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(response.headers()["content-length"], length.to_string().as_str());
                let (received, error) = collect(response).await;
                assert!(error.is_none() && received == bytes, "{length}");

                let response = gate.serve(&(), "sub/file", &head(&Method::HEAD, &[])).await;
                assert_eq!(response.headers()["content-length"], length.to_string().as_str());
                assert_eq!(collect(response).await.0, b"");
            }
        }
    }
}

#[tokio::test]
async fn ranges_are_cut_from_the_file() {
    let root = tempfile::tempdir().expect("a folder");
    let bytes = content(300_000);
    fs::write(root.path().join("file"), &bytes).expect("write");
    for stream in both_ways(root.path()) {
        let gate = gate(stream, [file("file")]);
        for (range, expected) in [
            ("bytes=0-0", &bytes[..1]),
            ("bytes=-10", &bytes[299_990..]),
            ("bytes=100000-", &bytes[100_000..]),
            ("bytes=5-99999", &bytes[5..100_000]),
        ] {
            let response = gate.serve(&(), "file", &head(&Method::GET, &[("range", range)])).await;
            assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
            assert!(collect(response).await.0 == expected, "{range}");
        }
        let fields = head(&Method::GET, &[("range", "bytes=0-99999,200000-299999")]);
        let response = gate.serve(&(), "file", &fields).await;
        let announced = response.headers()["content-length"].clone();
        let (body, error) = collect(response).await;
        assert!(error.is_none());
        assert_eq!(announced, body.len().to_string().as_str());
        let holds = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
        assert!(holds(&bytes[..100_000]) && holds(&bytes[200_000..]));
    }
}

#[tokio::test]
async fn the_tag_is_strong_once_the_file_is_left_alone() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("file");
    fs::write(&path, b"content").expect("write");
    // The change time cannot be set: tests/changed.rs waits for it.
    let gate = gate(Stream::local(root.path()).expect("a folder").replicated(), [file("file")]);
    let fresh = gate.serve(&(), "file", &head(&Method::GET, &[])).await;
    assert!(fresh.headers()["etag"].as_bytes().starts_with(b"W/\""));
    old(&path);
    let settled = gate.serve(&(), "file", &head(&Method::GET, &[])).await;
    let tag = settled.headers()["etag"].to_str().expect("ASCII").to_owned();
    assert!(tag.starts_with('"'));
    assert!(settled.headers().contains_key("last-modified"));
    let again = gate.serve(&(), "file", &head(&Method::GET, &[("if-none-match", &tag)])).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let resumed = head(&Method::GET, &[("if-range", &tag), ("range", "bytes=3-")]);
    assert_eq!(gate.serve(&(), "file", &resumed).await.status(), StatusCode::PARTIAL_CONTENT);
}

#[tokio::test]
async fn a_file_from_before_1970_is_served_as_any_other() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("file");
    fs::write(&path, b"content").expect("write");
    let mut tags = HashSet::new();
    // The whole second before the time is -1 in each case: only the nanoseconds tell them apart.
    for before in [1_000_000, 2_000_000] {
        let modified = SystemTime::UNIX_EPOCH - Duration::from_nanos(before);
        fs::File::options()
            .write(true)
            .open(&path)
            .expect("open")
            .set_modified(modified)
            .expect("set the time");
        for stream in both_ways(root.path()) {
            let gate = gate(stream.replicated(), [file("file")]);
            let response = gate.serve(&(), "file", &head(&Method::GET, &[])).await;
            assert_eq!(response.status(), StatusCode::OK);
            tags.insert(response.headers()["etag"].clone());
            assert_eq!(collect(response).await.0, b"content");
        }
    }
    assert_eq!(tags.len(), 2, "{tags:?}");
    assert!(tags.iter().all(|tag| tag.as_bytes().starts_with(b"\"")), "strong: {tags:?}");
}

#[tokio::test]
async fn a_file_changed_while_it_is_sent_ends_in_an_error() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("truncated", |path| {
            fs::File::options().write(true).open(path).expect("open").set_len(100).expect("cut");
        }),
        ("emptied", |path| {
            fs::File::options().write(true).open(path).expect("open").set_len(0).expect("cut");
        }),
        ("overwritten", |path| fs::write(path, content(999_999)).expect("write")),
        ("overwritten with as many bytes", |path| {
            let other: Vec<u8> = content(1_000_000).into_iter().map(|byte| !byte).collect();
            fs::write(path, other).expect("write");
        }),
    ];
    for (name, change) in changes {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("file");
        fs::write(&path, content(1_000_000)).expect("write");
        old(&path);
        for stream in both_ways(root.path()) {
            fs::write(&path, content(1_000_000)).expect("write");
            old(&path);
            let gate = gate(stream, [file("file")]);
            let response = gate.serve(&(), "file", &head(&Method::GET, &[])).await;
            let mut body = response.into_body();
            assert!(matches!(std::future::poll_fn(|cx| body.poll_chunk(cx)).await, Some(Ok(_))));
            change(&path);
            let (rest, error) = collect(Response::new(body)).await;
            assert!(error.is_some(), "{name}");
            assert!(rest.len() < 1_000_000, "{name}: never whole");
        }
    }
}

#[tokio::test]
async fn a_file_replaced_by_renaming_goes_on_as_it_was() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("file");
    let bytes = content(1_000_000);
    fs::write(&path, &bytes).expect("write");
    let gate = gate(Stream::local(root.path()).expect("a folder"), [file("file")]);
    let mut body = gate.serve(&(), "file", &head(&Method::GET, &[])).await.into_body();
    let Some(Ok(first)) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await else { panic!("no bytes") };
    let mut received = first.to_vec();
    drop(first);
    fs::write(root.path().join("new"), b"other").expect("write");
    fs::rename(root.path().join("new"), &path).expect("rename");
    let (rest, error) = collect(Response::new(body)).await;
    received.extend(rest);
    assert!(error.is_none() && received == bytes);
}

#[tokio::test]
async fn who_comes_after_a_change_gets_what_is_there_now() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("file");
    fs::write(&path, content(1_000_000)).expect("write");
    old(&path);
    let gate = gate(Stream::local(root.path()).expect("a folder"), [file("file")]);
    let mut before = gate.serve(&(), "file", &head(&Method::GET, &[])).await.into_body();
    assert!(matches!(std::future::poll_fn(|cx| before.poll_chunk(cx)).await, Some(Ok(_))));
    // The same inode, as long as before.
    let other: Vec<u8> = content(1_000_000).into_iter().map(|byte| !byte).collect();
    fs::write(&path, &other).expect("write");
    let after = gate.serve(&(), "file", &head(&Method::GET, &[])).await;
    let (received, error) = collect(after).await;
    assert!(error.is_none() && received == other);
    assert!(collect(Response::new(before)).await.1.is_some(), "the one from before breaks off");
}

#[tokio::test]
async fn volumes_are_served_by_name_only() {
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fs::write(one.path().join("file"), b"one").expect("write");
    fs::write(two.path().join("file"), b"two").expect("write");
    let stream =
        || Stream::local(one.path()).expect("a folder").local_volume("two", two.path()).expect("a folder");
    for (download, expected) in [
        (file("file"), Some(&b"one"[..])),
        (file("file").volume("two"), Some(b"two")),
        (file("file").volume("three"), None),
        (file("file").volume(""), None),
        (file("file").version("1"), None),
    ] {
        let response = gate(stream(), [download]).serve(&(), "file", &head(&Method::GET, &[])).await;
        match expected {
            Some(bytes) => assert_eq!(collect(response).await.0, bytes),
            None => assert_eq!(response.status(), StatusCode::BAD_GATEWAY),
        }
    }
    assert!(Stream::local(one.path().join("missing")).is_err());
    assert!(Stream::local(one.path().join("file")).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_rate_spreads_the_bytes_over_time() {
    let root = tempfile::tempdir().expect("a folder");
    let bytes = content(100_000);
    fs::write(root.path().join("file"), &bytes).expect("write");
    let rate = NonZeroU64::new(10_000).expect("not zero");
    let gate = gate(Stream::local(root.path()).expect("a folder"), [file("file").rate(rate)]);
    let (started, real) = (tokio::time::Instant::now(), Instant::now());
    let (received, error) = collect(gate.serve(&(), "file", &head(&Method::GET, &[])).await).await;
    assert!(error.is_none() && received == bytes);
    let elapsed = started.elapsed();
    assert!(
        elapsed >= Duration::from_millis(9_800) && elapsed <= Duration::from_millis(10_500),
        "{elapsed:?}"
    );
    assert!(real.elapsed() < elapsed, "the clock is the test's own");
}
