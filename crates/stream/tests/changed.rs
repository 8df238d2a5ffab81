//! Files that change while they are sent, between two requests of one client, or under another key.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use secure_download_core::{Body, BodyError, Decision, Download, ETag, FileKey, Gate, RequestHead};
use secure_download_stream::Stream;

const LENGTH: usize = 1_000_000;

fn gate(stream: Stream, files: impl IntoIterator<Item = Download>) -> Gate<(), Download> {
    let catalog: HashMap<String, Download> =
        files.into_iter().map(|file| (file.key().to_string(), file)).collect();
    Gate::builder(catalog).authorizer(|(): &(), _: &Download| Decision::Allow).strategy(stream).build()
}

fn file(key: &str) -> Download {
    Download::new(FileKey::parse(key).expect("a key"))
}

fn head(fields: &[(&'static str, &str)]) -> RequestHead {
    let mut headers = HeaderMap::new();
    for &(name, value) in fields {
        headers.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    RequestHead::new(&Method::GET, &headers)
}

async fn get(gate: &Gate<(), Download>, key: &str, fields: &[(&'static str, &str)]) -> Response<Body> {
    gate.serve(&(), key, &head(fields)).await
}

async fn collect(mut body: Body) -> (Vec<u8>, Option<BodyError>) {
    let mut bytes = Vec::new();
    loop {
        match std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
            Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            Some(Err(error)) => return (bytes, Some(error)),
            None => return (bytes, None),
        }
    }
}

fn text<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers()[name].to_str().expect("ASCII")
}

fn set_modified(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).expect("open").set_modified(time).expect("set the time");
}

fn long_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600)
}

/// Writes over the second half, in place.
fn overwrite(path: &Path) {
    let file = File::options().write(true).open(path).expect("open");
    file.write_all_at(&vec![b'b'; LENGTH / 2], LENGTH as u64 / 2).expect("written");
}

type Open = fn(&Path) -> Stream;

/// Roots on a disk and, where there is one, in memory, opened both ways.
fn roots() -> Vec<(tempfile::TempDir, Open)> {
    let memory = Path::new("/dev/shm");
    let folders = [std::env::temp_dir()].into_iter().chain(memory.is_dir().then(|| memory.to_owned()));
    let ways: [fn(&Path) -> Stream; 2] = [
        |root| Stream::local(root).expect("a folder"),
        |root| Stream::local_portable(root).expect("a folder"),
    ];
    let root = |folder: &Path| tempfile::tempdir_in(folder).expect("a folder");
    folders.flat_map(|folder| ways.map(|way| (root(&folder), way))).collect()
}

/// A file of `a`s is changed behind the first chunk.
async fn changed_in_mid_transfer(
    root: &Path,
    stream: Stream,
    download: Download,
    change: impl FnOnce(&Path),
) -> (Vec<u8>, Option<BodyError>) {
    let path = root.join("file");
    fs::write(&path, vec![b'a'; LENGTH]).expect("written");
    set_modified(&path, long_ago());
    let mut body = get(&gate(stream, [download]), "file", &[]).await.into_body();
    let first = std::future::poll_fn(|cx| body.poll_chunk(cx)).await.expect("a chunk").expect("no error");
    let mut received = first.to_vec();
    drop(first);
    change(&path);
    let (rest, error) = collect(body).await;
    received.extend(rest);
    (received, error)
}

type Change = fn(&Path);

#[tokio::test]
async fn what_leaves_the_content_alone_cuts_no_transfer() {
    let changes: [(&str, Change); 8] = [
        ("chmod", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o640)).expect("permissions");
        }),
        ("a new link", |path| fs::hard_link(path, path.with_extension("link")).expect("linked")),
        ("unlinked", |path| fs::remove_file(path).expect("removed")),
        ("renamed", |path| fs::rename(path, path.with_extension("renamed")).expect("renamed")),
        ("renamed, then another in its place", |path| {
            fs::rename(path, path.with_extension("renamed")).expect("renamed");
            fs::write(path, b"other").expect("written");
        }),
        ("renamed, then a folder in its place", |path| {
            fs::rename(path, path.with_extension("renamed")).expect("renamed");
            fs::create_dir(path).expect("a folder");
        }),
        ("replaced", |path| {
            let new = path.with_extension("new");
            fs::write(&new, vec![b'b'; LENGTH]).expect("written");
            set_modified(&new, fs::metadata(path).and_then(|old| old.modified()).expect("a time"));
            fs::rename(new, path).expect("renamed");
        }),
        ("read", |path| assert_eq!(fs::read(path).expect("read").len(), LENGTH)),
    ];
    for (name, change) in changes {
        for (root, way) in roots() {
            let (received, error) =
                changed_in_mid_transfer(root.path(), way(root.path()), file("file"), change).await;
            assert!(error.is_none() && received == vec![b'a'; LENGTH], "{name}: {error:?}");
        }
    }
}

#[tokio::test]
async fn writing_ends_a_transfer_whatever_the_time_says() {
    let changes: [(&str, Change); 4] = [
        ("overwritten, time set back", |path| {
            let before = fs::metadata(path).and_then(|file| file.modified()).expect("a time");
            overwrite(path);
            set_modified(path, before);
        }),
        ("chmod, then overwritten, time set back", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o640)).expect("permissions");
            overwrite(path);
        }),
        ("overwritten", overwrite),
        ("cut", |path| {
            File::options().write(true).open(path).expect("open").set_len(LENGTH as u64 / 2).expect("cut");
        }),
    ];
    for (name, change) in changes {
        for (root, way) in roots() {
            let (received, error) =
                changed_in_mid_transfer(root.path(), way(root.path()), file("file"), change).await;
            assert!(error.is_some(), "{name}: {} bytes", received.len());
            assert!(received.iter().all(|byte| *byte == b'a'), "{name}: a mixture");
        }
    }
}

/// `chmod` is noted, and what comes behind it is still seen.
#[tokio::test]
async fn a_change_behind_a_harmless_one_is_seen() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("file");
    fs::write(&path, vec![b'a'; LENGTH]).expect("written");
    let modified = long_ago();
    set_modified(&path, modified);
    let gate = gate(Stream::local(root.path()).expect("a folder"), [file("file")]);
    let mut body = get(&gate, "file", &[]).await.into_body();
    let mut next = async || std::future::poll_fn(|cx| body.poll_chunk(cx)).await.expect("more");
    assert!(next().await.is_ok());
    for mode in [0o640, 0o600] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
        assert!(next().await.is_ok(), "{mode:o}");
    }
    overwrite(&path);
    set_modified(&path, modified);
    assert!(next().await.is_err());
}

#[tokio::test]
async fn a_file_that_only_grows_is_sent_as_long_as_it_was() {
    for length in [1000, LENGTH] {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("file");
        fs::write(&path, vec![b'a'; length]).expect("written");
        let gate = gate(Stream::local(root.path()).expect("a folder"), [file("file").append_only()]);
        let append = || {
            use std::io::Write as _;
            File::options().append(true).open(&path).expect("open").write_all(b"bbbb").expect("written");
        };
        let response = get(&gate, "file", &[]).await;
        let tag = text(&response, "etag").to_owned();
        assert!(tag.starts_with("W/\""), "{tag}");
        let date = text(&response, "last-modified").to_owned();
        let mut body = response.into_body();
        let mut received = Vec::new();
        while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
            received.extend_from_slice(&chunk.expect("no error"));
            append();
        }
        assert!(received == vec![b'a'; length]);
        // The tag names the whole that it came with.
        assert_ne!(text(&get(&gate, "file", &[]).await, "etag"), tag);
        // Neither validator joins ranges, however long ago the last byte was appended.
        set_modified(&path, long_ago());
        let now = get(&gate, "file", &[]).await;
        for validator in [tag.as_str(), &date, text(&now, "etag"), text(&now, "last-modified")] {
            let answer = get(&gate, "file", &[("range", "bytes=1-2"), ("if-range", validator)]).await;
            assert_eq!(answer.status(), StatusCode::OK, "{validator}");
        }
        let tail = get(&gate, "file", &[("range", "bytes=-4")]).await;
        assert_eq!(collect(tail.into_body()).await.0, b"bbbb");
    }
}

#[tokio::test]
async fn a_file_that_was_to_grow_and_is_cut_or_replaced_ends_in_an_error() {
    let changes: [(&str, Change); 3] = [
        ("cut", |path| {
            File::options().write(true).open(path).expect("open").set_len(LENGTH as u64 - 1).expect("cut");
        }),
        ("emptied and written anew", |path| fs::write(path, vec![b'b'; LENGTH / 2]).expect("written")),
        ("replaced", |path| {
            let new = path.with_extension("new");
            fs::write(&new, vec![b'b'; LENGTH]).expect("written");
            fs::rename(new, path).expect("renamed");
        }),
    ];
    for (name, change) in changes {
        for (root, way) in roots() {
            let download = file("file").append_only();
            let (received, error) =
                changed_in_mid_transfer(root.path(), way(root.path()), download, change).await;
            assert!(error.is_some(), "{name}");
            assert!(received.iter().all(|byte| *byte == b'a'), "{name}: a mixture");
        }
    }
}

/// Asks until the file has been left alone for long enough.
async fn strong_tag(gate: &Gate<(), Download>) -> String {
    loop {
        let response = get(gate, "file", &[]).await;
        let tag = text(&response, "etag");
        if tag.starts_with('"') {
            return tag.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_tag_and_a_date_never_join_what_the_system_tells_apart() {
    let changes: [(&str, Change); 3] = [
        ("overwritten in place, time set back", |path| {
            let before = fs::metadata(path).and_then(|file| file.modified()).expect("a time");
            overwrite(path);
            set_modified(path, before);
        }),
        ("replaced by one of the same length and time", |path| {
            let new = path.with_extension("new");
            fs::write(&new, vec![b'b'; LENGTH]).expect("written");
            set_modified(&new, fs::metadata(path).and_then(|old| old.modified()).expect("a time"));
            fs::rename(new, path).expect("renamed");
        }),
        ("chmod", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o640)).expect("permissions");
        }),
    ];
    for (name, change) in changes {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("file");
        fs::write(&path, vec![b'a'; LENGTH]).expect("written");
        set_modified(&path, long_ago());
        let (own, copies) = (
            gate(Stream::local(root.path()).expect("a folder"), [file("file")]),
            gate(Stream::local(root.path()).expect("a folder").replicated(), [file("file")]),
        );
        let fresh = get(&own, "file", &[]).await;
        assert!(text(&fresh, "etag").starts_with("W/\""), "its change time is of this second");
        let tag = strong_tag(&own).await;
        let date = text(&fresh, "last-modified").to_owned();
        let copied = text(&get(&copies, "file", &[]).await, "etag").to_owned();
        let resume = async |gate: &Gate<(), Download>, validator: &str| {
            get(gate, "file", &[("range", "bytes=5-"), ("if-range", validator)]).await.status()
        };
        assert_eq!(resume(&own, &tag).await, StatusCode::PARTIAL_CONTENT);
        assert_eq!(resume(&own, &date).await, StatusCode::OK, "a date that was set by hand");
        assert_eq!(resume(&copies, &copied).await, StatusCode::PARTIAL_CONTENT);
        assert_eq!(resume(&copies, &date).await, StatusCode::PARTIAL_CONTENT);
        change(&path);
        for validator in [&tag, &date] {
            assert_eq!(resume(&own, validator).await, StatusCode::OK, "{name}: {validator}");
        }
        let answer = get(&own, "file", &[("if-none-match", &tag)]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        let answer = get(&own, "file", &[("if-match", &tag)]).await;
        assert_eq!(answer.status(), StatusCode::PRECONDITION_FAILED, "{name}");
        // Copies on other machines have numbers and change times of their own.
        assert_eq!(resume(&copies, &copied).await, StatusCode::PARTIAL_CONTENT, "{name}");
    }
}

/// A date that was not set by hand.
#[tokio::test]
async fn a_date_that_the_last_write_left_joins_once_it_is_settled() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("file"), vec![b'a'; LENGTH]).expect("written");
    let gate = gate(Stream::local(root.path()).expect("a folder"), [file("file")]);
    let date = text(&get(&gate, "file", &[]).await, "last-modified").to_owned();
    let fields = [("range", "bytes=5-"), ("if-range", date.as_str())];
    assert_eq!(get(&gate, "file", &fields).await.status(), StatusCode::OK);
    strong_tag(&gate).await;
    assert_eq!(get(&gate, "file", &fields).await.status(), StatusCode::PARTIAL_CONTENT);
}

#[tokio::test]
async fn the_applications_own_tag_takes_the_place_of_the_files() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("file");
    for replicated in [false, true] {
        fs::write(&path, vec![b'a'; LENGTH]).expect("written");
        let stream = Stream::local(root.path()).expect("a folder");
        let stream = if replicated { stream.replicated() } else { stream };
        let tagged = file("file").etag(ETag::strong("v1").expect("a tag"));
        let gate = gate(stream, [tagged]);
        let range = ("range", "bytes=5-6");
        for (fields, status) in [
            (vec![], 200),
            (vec![range, ("if-range", "\"v1\"")], 206),
            (vec![range, ("if-range", "\"v2\"")], 200),
            (vec![("if-none-match", "\"v1\"")], 304),
            (vec![("if-none-match", "\"v2\"")], 200),
            (vec![("if-match", "\"v1\"")], 200),
            (vec![("if-match", "\"v2\"")], 412),
        ] {
            let answer = get(&gate, "file", &fields).await;
            assert_eq!(answer.status().as_u16(), status, "{fields:?}");
            if status != 412 {
                assert_eq!(text(&answer, "etag"), "\"v1\"", "{fields:?}");
            }
        }
    }
}

/// How many descriptors of this process are open beneath the folder.
fn open_beneath(folder: &Path) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").expect("descriptors").filter_map(Result::ok);
    let target = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    target.filter(|target| target.starts_with(folder) && target != folder).count()
}

#[tokio::test]
async fn descriptors_are_shared_by_key_and_state() {
    for (root, way) in roots() {
        let path = root.path().join("file");
        fs::write(&path, vec![b'a'; LENGTH]).expect("written");
        fs::hard_link(&path, root.path().join("other")).expect("linked");
        let gate = gate(way(root.path()), [file("file"), file("other")]);
        let mut bodies = Vec::new();
        for _ in 0..100 {
            bodies.push(get(&gate, "file", &[]).await);
        }
        assert_eq!(open_beneath(root.path()), 1, "a hundred readers of one key");
        bodies.push(get(&gate, "other", &[]).await);
        assert_eq!(open_beneath(root.path()), 2, "another key of the same file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
        bodies.push(get(&gate, "file", &[]).await);
        assert_eq!(open_beneath(root.path()), 3, "another state");
        drop(bodies);
        assert_eq!(open_beneath(root.path()), 0);
    }
}
