//! Range bombs over real sockets: answered with the whole file or refused, and the server goes on. What they cost is
//! measured in `benches/benches/range.rs`.

use std::collections::HashMap;
use std::net::SocketAddr;

use secure_download::{Download, FileKey, Stream};
use system_tests::{Http1, Http2, allow_everybody, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LENGTH: usize = 100_000;

fn content() -> Vec<u8> {
    (0..LENGTH).map(|n| (n % 251) as u8).collect()
}

async fn start() -> (SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), content()).expect("written");
    let download = Download::new(FileKey::parse("file").expect("a key"));
    let strategy = Stream::local(folder.path()).expect("a folder");
    (serve(allow_everybody(HashMap::from([("file".to_owned(), download)]), strategy)).await, folder)
}

fn bomb(count: usize, range: impl Fn(usize) -> String) -> String {
    format!("Range: bytes={}", (0..count).map(range).collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn too_many_ranges_are_the_whole_file() {
    let (address, _folder) = start().await;
    let (mut first, mut second) = (Http1::connect(address).await, Http2::connect(address).await);
    for (name, field) in [
        ("33 ranges apart", bomb(33, |n| format!("{}-{}", 10 * n, 10 * n))),
        ("1,000 suffixes", bomb(1_000, |n| format!("-{n}1"))),
        ("1,000 times everything", bomb(1_000, |_| "0-".to_owned())),
        ("1,000 commas", format!("Range: bytes=0-0{}", ",".repeat(1_000))),
        ("9,000 digits", format!("Range: bytes=0-{}", "1".repeat(9_000))),
    ] {
        for answer in [
            first.ask("GET", "/file", std::slice::from_ref(&field)).await,
            second.ask("GET", "/file", std::slice::from_ref(&field)).await,
        ] {
            assert_eq!(answer.status, 200, "{name}");
            assert!(answer.body == content(), "{name}");
        }
    }
    // Far beyond what HTTP/2 lets through by default.
    for field in [bomb(10_000, |n| format!("{n}-{n}")), bomb(10_000, |n| format!("0-{n}"))] {
        let answer = first.ask("GET", "/file", &[field]).await;
        assert!(answer.status == 200 && answer.body == content());
    }
}

#[tokio::test]
async fn as_many_ranges_as_are_read() {
    let (address, _folder) = start().await;
    let mut client = Http1::connect(address).await;
    let field = bomb(32, |n| format!("{}-{}", 3_000 * n, 3_000 * n + 9));
    let parts = client.ask("GET", "/file", &[field]).await.byteranges();
    assert_eq!(parts.len(), 32);
    for (n, (_, range, bytes)) in parts.iter().enumerate() {
        assert_eq!(*range, format!("bytes {}-{}/{LENGTH}", 3_000 * n, 3_000 * n + 9));
        assert_eq!(*bytes, content()[3_000 * n..3_000 * n + 10]);
    }
    // Nearly all of the file, a byte missing between each two: as long a multipart as there can be.
    let field = bomb(32, |n| format!("{}-{}", 3_000 * n, 3_000 * n + 2_998));
    let parts = client.ask("GET", "/file", &[field]).await.byteranges();
    assert_eq!(parts.len(), 32);
    let field = bomb(32, |n| format!("{}-{}", n, LENGTH - n));
    let answer = client.ask("GET", "/file", &[field]).await;
    assert_eq!(answer.field("content-range"), Some("bytes 0-99999/100000"));
    assert!(answer.status == 206 && answer.body == content());
}

#[tokio::test]
async fn a_megabyte_of_field_is_refused() {
    let (address, _folder) = start().await;
    for field in [bomb(150_000, |n| format!("{n}-{n}")), format!("Range: bytes=0-{}", "9".repeat(1 << 20))] {
        assert!(field.len() >= 1 << 20);
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("GET /file HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n");
        // The server stops reading where it has had enough, and may be gone before all is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let answer = Http1::connect(address).await.ask("GET", "/file", &[]).await;
    assert!(answer.status == 200 && answer.body == content(), "the server goes on");
}
