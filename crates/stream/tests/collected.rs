//! Bodies of which a consumer keeps chunks: collectors, readers that look ahead, and those that begin to keep later.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use secure_download_core::{Body, Concurrency, Decision, Download, FileKey, Gate, RequestHead};
use secure_download_stream::{Stream, StreamError};

/// Bytes that differ wherever they are confused with others.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|position| (position.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn head(range: Option<&str>) -> RequestHead {
    let mut headers = HeaderMap::new();
    if let Some(range) = range {
        headers.insert(header::RANGE, range.parse().expect("a header value"));
    }
    RequestHead::new(&Method::GET, &headers)
}

/// How a consumer treats the chunks that it got before.
#[derive(Debug, Clone, Copy)]
enum Keeps {
    /// All of them, as `to_bytes` does.
    All,
    /// The last so many, while it asks for the next one.
    Last(usize),
    /// None of the first so many, all that follow.
    AllAfter(usize),
    /// So many, then lets go of them all.
    Groups(usize),
}

async fn read(mut body: Body, keeps: Keeps) -> Vec<u8> {
    let reading = async {
        let (mut bytes, mut kept, mut count) = (Vec::new(), Vec::<Bytes>::new(), 0);
        while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
            let chunk = chunk.expect("no error");
            count += 1;
            bytes.extend_from_slice(&chunk);
            kept.push(chunk);
            match keeps {
                Keeps::All => {}
                Keeps::Last(most) => drop(kept.drain(..kept.len().saturating_sub(most))),
                Keeps::AllAfter(first) if count <= first => kept.clear(),
                Keeps::AllAfter(_) => {}
                Keeps::Groups(size) if kept.len() == size => kept.clear(),
                Keeps::Groups(_) => {}
            }
        }
        bytes
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an end")
}

/// Each file under the name of its length; tracked if a cap counts transfers.
fn gate(stream: Stream, lengths: &[usize], rate: Option<NonZeroU64>, tracked: bool) -> Gate<(), Download> {
    let file = |length: &usize| {
        let download = Download::new(FileKey::parse(length.to_string()).expect("a key"));
        (length.to_string(), rate.into_iter().fold(download, Download::rate))
    };
    let gate = Gate::builder(lengths.iter().map(file).collect::<HashMap<_, _>>())
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(stream);
    if tracked { gate.concurrency(Concurrency::new(1)).build() } else { gate.build() }
}

type Open = fn(&Path) -> Result<Stream, StreamError>;

#[tokio::test(start_paused = true)]
async fn consumers_that_keep_chunks_get_the_whole_body() {
    const LENGTHS: [usize; 4] = [65_536, 65_537, 300_000, 3_000_000];
    let root = tempfile::tempdir().expect("a folder");
    for length in LENGTHS {
        fs::write(root.path().join(length.to_string()), content(length)).expect("written");
    }
    let open: [Open; 2] = [|root| Stream::local(root), |root| Stream::local_portable(root)];
    for open in open {
        for tracked in [false, true] {
            for keeps in [Keeps::All, Keeps::Last(1), Keeps::Last(3), Keeps::AllAfter(3), Keeps::Groups(8)] {
                let stream = open(root.path()).expect("a folder");
                let gate = gate(stream, &LENGTHS, None, tracked);
                for length in LENGTHS {
                    let bytes = content(length);
                    let whole = gate.serve(&(), &length.to_string(), &head(None)).await;
                    assert!(read(whole.into_body(), keeps).await == bytes, "{length} {keeps:?}");
                }
                // The cap of one holds: each transfer before has ended.
                let (length, bytes) = (3_000_000, content(3_000_000));
                let one = gate.serve(&(), &length.to_string(), &head(Some("bytes=9-2000000"))).await;
                assert!(read(one.into_body(), keeps).await == bytes[9..=2_000_000], "{keeps:?}");
                let several = "bytes=0-99999,200000-200000,300000-2999998";
                let several = gate.serve(&(), &length.to_string(), &head(Some(several))).await;
                let announced = several.headers()[header::CONTENT_LENGTH].clone();
                let body = read(several.into_body(), keeps).await;
                assert_eq!(body.len().to_string().as_bytes(), announced.as_bytes(), "{keeps:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_with_a_rate_may_be_kept() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("300000"), content(300_000)).expect("written");
    for keeps in [Keeps::All, Keeps::Last(1), Keeps::AllAfter(3)] {
        let rate = NonZeroU64::new(3_000_000);
        let gate = gate(Stream::local(root.path()).expect("a folder"), &[300_000], rate, true);
        let response = gate.serve(&(), "300000", &head(None)).await;
        assert!(read(response.into_body(), keeps).await == content(300_000), "{keeps:?}");
    }
}

/// hyper holds chunks while its client does not read, and asks for no more than a few.
#[tokio::test(start_paused = true)]
async fn a_server_whose_client_stalls_holds_little() {
    const LENGTH: usize = 10_000_000;
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join(LENGTH.to_string()), content(LENGTH)).expect("written");
    let gate = gate(Stream::local(root.path()).expect("a folder"), &[LENGTH], None, false);
    let mut body = gate.serve(&(), &LENGTH.to_string(), &head(None)).await.into_body();
    for _ in 0..3 {
        // A fast client.
        for _ in 0..5 {
            assert!(std::future::poll_fn(|cx| body.poll_chunk(cx)).await.is_some());
        }
        let mut held =
            vec![std::future::poll_fn(|cx| body.poll_chunk(cx)).await.expect("more").expect("no error")];
        let first = held[0].len();
        let stalled = tokio::time::Instant::now();
        let second =
            tokio::time::timeout(Duration::from_millis(900), std::future::poll_fn(|cx| body.poll_chunk(cx)));
        assert!(second.await.is_err(), "one chunk is held for {:?}", stalled.elapsed());
        while held.len() < 16 {
            held.push(std::future::poll_fn(|cx| body.poll_chunk(cx)).await.expect("more").expect("no error"));
        }
        let bytes: usize = held.iter().map(Bytes::len).sum();
        assert!(bytes - first <= 1 << 10, "{bytes} held");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
