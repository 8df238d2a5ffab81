//! Uploads as a form: several files at once, all or none, and forms that never come to a file.

use std::fmt::Write as _;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use super::visitor::form;
use super::{Demo, Upload, Visitor};

pub(super) async fn check(demo: &Demo) {
    several_files(demo).await;
    too_much(demo).await;
    heads_without_end(demo).await;
    names(demo).await;
}

/// With limits of its own.
pub(super) async fn check_limits(program: &str) {
    let demo = Demo::start(program, &["--max-upload", "100000", "--quota", "250000"]).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let before = alice.listed().await;
    let files = |sizes: &[usize]| {
        let part = |size: &usize| ("filename=\"a.bin\"".to_owned(), vec![b'a'; *size]);
        form(&sizes.iter().map(part).collect::<Vec<_>>())
    };
    // One that is too large takes the others along.
    for sizes in [&[10, 100_001][..], &[60_000, 60_000], &[100_000, 1, 1]] {
        let refused = alice.send_form(&files(sizes)).await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{sizes:?}");
    }
    assert_eq!(alice.listed().await, before);
    // Three times 80,000 fit, whether they come one after the other or together.
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut alice, form) = (alice.clone(), files(&[80_000]));
        uploads.spawn(async move { alice.send_form(&form).await.status });
    }
    let statuses = uploads.join_all().await;
    let stored = statuses.iter().filter(|status| **status == StatusCode::SEE_OTHER).count();
    assert!((1..=3).contains(&stored), "{statuses:?}");
    for _ in stored..3 {
        assert_eq!(alice.send_form(&files(&[80_000])).await.status, StatusCode::SEE_OTHER);
    }
    let over = alice.send_form(&files(&[10_001])).await;
    assert_eq!(over.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(String::from_utf8_lossy(&over.body).contains("250 kB"), "it says how much");
    assert_eq!(alice.listed().await.len(), before.len() + 3);
    let own = alice.listed().await;
    assert_eq!(alice.post(&format!("/files/{}/delete", own[0]), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(alice.send_form(&files(&[80_000])).await.status, StatusCode::SEE_OTHER);
    let mut bob = Visitor::signed_in(demo.address(), "bob").await;
    assert_eq!(bob.send_form(&files(&[80_000])).await.status, StatusCode::SEE_OTHER);
    // Drafts are removed on threads of their own.
    let kept = || std::fs::read_dir(demo.data().join("media")).expect("a folder").count();
    let files_of_both = alice.listed().await.len() + bob.listed().await.len();
    wait_until(|| kept() == files_of_both).await;
    ends(&demo, &alice).await;
    demo.stop().await;
}

async fn wait_until(done: impl Fn() -> bool + Send + Sync) {
    let looked = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), looked).await.expect("it comes to that");
}

/// The refusal of a large body that never comes ends the connection, as it says.
async fn ends(demo: &Demo, alice: &Visitor) {
    for length in ["Content-Length: 99999999999", "Transfer-Encoding: chunked"] {
        let mut stream = TcpStream::connect(demo.address()).await.expect("connected");
        let content = "a".repeat(150_000);
        let body = match length {
            "Transfer-Encoding: chunked" => {
                format!("{:x}\r\n{}\r\n", START.len() + content.len(), [START, &content].concat())
            }
            _ => START.to_owned(),
        };
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: {}\r\n{}\r\nContent-Type: multipart/form-data; boundary=x\r\n{length}\r\n\r\n",
            demo.address(),
            alice.cookie_line()
        );
        stream.write_all(&[head, body].concat().into_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // Until the server ends the connection.
        let end = timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
        end.expect("an end").expect("no reset");
        let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 413"), "{length}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{length}: {answer}");
    }
}

const START: &str = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";

async fn several_files(demo: &Demo) {
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let before = alice.listed().await;
    let parts: Vec<_> =
        (0..5).map(|n| (format!("filename=\"several-{n}.txt\""), format!("file {n}").into_bytes())).collect();
    let answer = alice.send_form(&form(&parts)).await;
    assert_eq!((answer.status, answer.field("location")), (StatusCode::SEE_OTHER, Some("/")));
    let listed = alice.listed().await;
    assert_eq!(listed.len(), before.len() + 5);
    let mut seen = Vec::new();
    for id in &listed[..5] {
        let answer = alice.deliver(&format!("/files/{id}")).await;
        seen.push(String::from_utf8(answer.body.clone()).expect("text"));
        alice.post(&format!("/files/{id}/delete"), &[]).await;
    }
    seen.sort();
    assert_eq!(seen, ["file 0", "file 1", "file 2", "file 3", "file 4"]);
    // A field in which nothing was chosen is no file, beside others.
    let chosen = [("filename=\"\"".to_owned(), Vec::new()), ("filename=\"a.txt\"".to_owned(), b"a".to_vec())];
    assert_eq!(alice.send_form(&form(&chosen)).await.status, StatusCode::SEE_OTHER);
    let id = alice.listed().await.swap_remove(0);
    alice.post(&format!("/files/{id}/delete"), &[]).await;
    assert_eq!(alice.listed().await, before);

    // Files that would vanish without a word.
    let mut cut = form(&parts);
    cut.truncate(cut.len() - 40);
    let other =
        String::from_utf8(form(&parts[..2])).expect("text").replacen("name=\"file\"", "name=\"files\"", 1);
    for body in [cut, other.into_bytes()] {
        assert_eq!(alice.send_form(&body).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(alice.listed().await, before);
}

async fn too_much(demo: &Demo) {
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let before = alice.listed().await;
    let many = vec![("filename=\"a\"".to_owned(), b"a".to_vec()); 1001];
    let refused = alice.send_form(&form(&many)).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    let fields = |count: usize, length: usize| {
        let mut text = String::new();
        for _ in 0..count {
            let value = "v".repeat(length);
            let _ = write!(
                text,
                "--{}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n",
                super::visitor::BOUNDARY
            );
        }
        [text.into_bytes(), form(&many[..1])].concat()
    };
    for (count, length) in [(101, 1), (1, 65_537), (3, 30_000)] {
        let refused = alice.send_form(&fields(count, length)).await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{count} of {length}");
    }
    assert_eq!(alice.listed().await, before);
    assert_eq!(alice.send_form(&fields(100, 100)).await.status, StatusCode::SEE_OTHER);
    let id = alice.listed().await.swap_remove(0);
    alice.post(&format!("/files/{id}/delete"), &[]).await;
    assert_eq!(alice.listed().await, before);
}

/// What never comes to a file is refused before 128 KiB of it were sent.
async fn heads_without_end(demo: &Demo) {
    // A proxy may collect a request before it hands it on.
    if demo.is_behind_proxy() {
        return;
    }
    let alice = Visitor::signed_in(demo.address(), "alice").await;
    let second = format!("{START}content\r\n--x\r\nX-Pad: ");
    for (case, start, padding) in [
        ("a head", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\nX-Pad: ", "A".repeat(1024)),
        (
            "a head of many lines",
            "--x\r\nContent-Disposition: form-data; name=\"file\"",
            "\r\nA: b".repeat(170),
        ),
        ("a preamble", "", "nothing".repeat(146)),
        ("a preamble of almost boundaries", "", "\r\n--y".repeat(200)),
        ("the second head", &second, "A".repeat(1024)),
        ("padding behind a boundary", "--x", " ".repeat(1024)),
    ] {
        let mut stream = TcpStream::connect(demo.address()).await.expect("connected");
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: {}\r\n{}\r\nContent-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n",
            demo.address(),
            alice.cookie_line()
        );
        let chunk = |text: &str| {
            if text.is_empty() { String::new() } else { format!("{:x}\r\n{text}\r\n", text.len()) }
        };
        stream.write_all([head, chunk(start)].concat().as_bytes()).await.expect("sent");
        let padding = chunk(&padding);
        let mut sent = 0;
        while sent < 100 * 1024 {
            stream.write_all(padding.as_bytes()).await.expect("sent");
            sent += padding.len();
        }
        let mut status = [0; 12];
        let answer = timeout(Duration::from_secs(30), stream.read_exact(&mut status)).await;
        answer.unwrap_or_else(|_| panic!("{case}: no answer")).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 400", "{case}");
    }
}

/// A sample of what programs send; the table is beside the code that reads it.
async fn names(demo: &Demo) {
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    for (parameters, disposition) in [
        (
            &b"filename=a.txt; filename*=utf-8''%C3%BC.txt"[..],
            "filename=\"u.txt\"; filename*=UTF-8''%C3%BC.txt",
        ),
        (b"filename=\"=?utf-8?B?w7wudHh0?=\"", "filename=\"u.txt\"; filename*=UTF-8''%C3%BC.txt"),
        (b"filename=\"\xfc.txt\"", "filename=\"u.txt\"; filename*=UTF-8''%C3%BC.txt"),
        ("filename=\"u\u{308}.txt\"".as_bytes(), "filename=\"u.txt\"; filename*=UTF-8''%C3%BC.txt"),
        (b"filename=C:\\a\\b.txt", "filename=\"b.txt\""),
    ] {
        let body = [
            format!("--{}\r\nContent-Disposition: form-data; name=file; ", super::visitor::BOUNDARY)
                .as_bytes(),
            parameters,
            format!("\r\n\r\na\r\n--{}--\r\n", super::visitor::BOUNDARY).as_bytes(),
        ]
        .concat();
        assert_eq!(alice.send_form(&body).await.status, StatusCode::SEE_OTHER);
        let id = alice.listed().await.swap_remove(0);
        let answer = alice.deliver(&format!("/files/{id}")).await;
        assert_eq!(answer.field("content-disposition"), Some(&*format!("attachment; {disposition}")));
        alice.post(&format!("/files/{id}/delete"), &[]).await;
    }
    // One name for what looks the same.
    let id = alice.upload(Upload { name: "invoice\u{202e}fdp.exe        .txt\u{200b}", content: b"a" }).await;
    let page = String::from_utf8(alice.get("/").await.body.clone()).expect("UTF-8");
    assert!(page.contains("invoicefdp.exe .txt") && !page.contains('\u{202e}') && !page.contains('\u{200b}'));
    alice.post(&format!("/files/{id}/delete"), &[]).await;
}
