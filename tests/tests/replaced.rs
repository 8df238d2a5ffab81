//! Local files that are replaced while clients hold an older state of them.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use secure_download::{Download, FileKey, Stream};
use system_tests::{Http1, allow_everybody, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn client(strategy: Stream) -> Http1 {
    let download = Download::new(FileKey::parse("file").expect("a key"));
    Http1::connect(serve(allow_everybody(HashMap::from([("file".to_owned(), download)]), strategy)).await)
        .await
}

/// Renames a complete file over the old one, as the documentation asks for.
fn replace(folder: &Path, content: &[u8], modified: SystemTime) {
    let new = folder.join("new");
    std::fs::write(&new, content).expect("written");
    std::fs::File::options().append(true).open(&new).expect("open").set_modified(modified).expect("set");
    std::fs::rename(&new, folder.join("file")).expect("replaced");
}

fn range(condition: &str) -> [String; 2] {
    ["Range: bytes=0-3".to_owned(), condition.to_owned()]
}

/// A file changed twice within a second, on file systems that note nanoseconds and on those that do not.
#[tokio::test]
async fn within_one_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut client = client(Stream::local(folder.path()).expect("a folder")).await;
    // A little ahead, so that on no machine, however slow, the file is left alone for long enough.
    let now = SystemTime::now() + Duration::from_secs(60);
    for between in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(400)] {
        replace(folder.path(), b"old content", now);
        let old = client.ask("GET", "/file", &[]).await;
        let tag = old.field("etag").expect("a tag").to_owned();
        let date = old.field("last-modified").expect("a date").to_owned();
        assert!(tag.starts_with("W/"), "{tag} may name two files");
        replace(folder.path(), b"new content", now + between);
        // Neither validator tells the two apart for certain, so neither joins their bytes.
        for condition in [format!("If-Range: {tag}"), format!("If-Range: {date}")] {
            let answer = client.ask("GET", "/file", &range(&condition)).await;
            assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"new content"[..]), "{condition}");
        }
        if !between.is_zero() {
            let answer = client.ask("GET", "/file", &[format!("If-None-Match: {tag}")]).await;
            assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"new content"[..]), "{between:?}");
        }
    }
}

/// Asks until the file has been left alone for long enough that its tag is strong.
async fn strong_tag(client: &mut Http1) -> String {
    loop {
        let answer = client.ask("GET", "/file", &[]).await;
        let tag = answer.field("etag").expect("a tag");
        if tag.starts_with('"') {
            return tag.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Once it has been left alone for a while the tag is strong, and names one file.
#[tokio::test]
async fn later() {
    let old_time = SystemTime::now() - Duration::from_secs(100);
    let changes = [
        (&b"new content"[..], old_time + Duration::from_nanos(1)),
        (b"new content!", old_time),
        (b"new content", SystemTime::now()),
        // What length and date do not tell.
        (b"new content", old_time),
    ];
    for replicated in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let stream = Stream::local(folder.path()).expect("a folder");
        let mut client = client(if replicated { stream.replicated() } else { stream }).await;
        replace(folder.path(), b"old content", old_time);
        let tag = strong_tag(&mut client).await;
        let condition = format!("If-Range: {tag}");
        assert_eq!(client.ask("GET", "/file", &range(&condition)).await.body, b"old ");
        for (content, modified) in &changes[..if replicated { 3 } else { 4 }] {
            replace(folder.path(), content, *modified);
            let answer = client.ask("GET", "/file", &range(&condition)).await;
            assert_eq!((answer.status.as_u16(), &*answer.body), (200, *content));
            let answer = client.ask("GET", "/file", &[format!("If-None-Match: {tag}")]).await;
            assert_eq!((answer.status.as_u16(), &*answer.body), (200, *content));
            let answer = client.ask("GET", "/file", &[format!("If-Match: {tag}")]).await;
            assert_eq!(answer.status, 412);
        }
    }
}

const LENGTH: usize = 64 << 20;

/// A transfer that runs goes on with the file it began with, or breaks off if that one is written to.
#[tokio::test]
async fn in_mid_transfer() {
    type Change = fn(&Path, SystemTime);
    let changes: [(&str, bool, Change); 7] = [
        ("overwritten", false, |folder, _| {
            std::fs::write(folder.join("file"), vec![b'b'; LENGTH]).expect("written");
        }),
        ("second half overwritten, time set back", false, |folder, then| {
            use std::os::unix::fs::FileExt as _;
            let file = std::fs::File::options().write(true).open(folder.join("file")).expect("open");
            file.write_all_at(&vec![b'b'; LENGTH / 2], LENGTH as u64 / 2).expect("written");
            file.set_modified(then).expect("set");
        }),
        ("replaced", true, |folder, then| replace(folder, &vec![b'b'; LENGTH], then)),
        ("removed", true, |folder, _| std::fs::remove_file(folder.join("file")).expect("removed")),
        ("renamed", true, |folder, _| {
            std::fs::rename(folder.join("file"), folder.join("renamed")).expect("renamed");
        }),
        ("linked", true, |folder, _| {
            std::fs::hard_link(folder.join("file"), folder.join("link")).expect("linked");
        }),
        ("chmod", true, |folder, _| {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o640);
            std::fs::set_permissions(folder.join("file"), mode).expect("permissions");
        }),
    ];
    for (name, goes_on, change) in changes {
        let folder = tempfile::tempdir().expect("a folder");
        let then = SystemTime::now() - Duration::from_secs(100);
        replace(folder.path(), &vec![b'a'; LENGTH], then);
        let download = Download::new(FileKey::parse("file").expect("a key"));
        let strategy = Stream::local(folder.path()).expect("a folder");
        let address = serve(allow_everybody(HashMap::from([("file".to_owned(), download)]), strategy)).await;
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let request = b"GET /file HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let mut received = vec![0; 64 << 10];
        stream.read_exact(&mut received).await.expect("a start");
        // More than any buffer on the way holds is still to come.
        change(folder.path(), then);
        // Reset or closed: both end it.
        let _ = stream.read_to_end(&mut received).await;
        let head = received.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        let body = &received[head..];
        assert_eq!(body.len() == LENGTH, goes_on, "{name}: {} bytes", body.len());
        assert!(body.iter().all(|byte| *byte == b'a'), "{name}: a mixture");
    }
}
