//! Cookies that others have set, beside those of the site.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::links::{make, redeem};
use super::{Demo, Upload, Visitor};

/// What scripts and other sites of a parent domain leave, in bytes.
const OTHERS: [&[u8]; 7] = [
    b"city=\xc3\x8ele",
    b"city=\xcele",
    b"\xff=\xff",
    b"session=\xff",
    b"=; z; ;; =x",
    b"a=%ff; b=\"x",
    &[b'x'; 15_000],
];

/// The status of an answer to GET. A reverse proxy in front may have an opinion of its own on such bytes.
pub(super) async fn check(demo: &Demo) {
    if demo.is_behind_proxy() {
        return;
    }
    let address = demo.address();
    let mut alice = Visitor::signed_in(address, "alice").await;
    let mut once = Visitor::signed_in(address, "bob").await;
    let ended = once.cookie_line();
    let ended = ended.split('=').nth(1).expect("a session").as_bytes().to_vec();
    once.post("/logout", &[]).await;
    let id = alice.upload(Upload { name: "cookies.txt", content: b"a file" }).await;
    let link = make(&mut alice, &id, "1", "3600").await;
    let mut friend = Visitor::anonymous(address);
    let leased = redeem(&mut friend, &link).await;
    for (visitor, target) in [(&alice, format!("/files/{id}")), (&alice, "/".to_owned()), (&friend, leased)] {
        let line = visitor.cookie_line();
        let own = line.trim_start_matches("Cookie: ").as_bytes();
        // Of the same name too: junk, and what was good once.
        let name = own.split(|byte| *byte == b'=').next().expect("a name");
        let planted = [&b"\xff"[..], b"", b"junk", b"0123456789abcdef0123456789abcdef", &ended]
            .map(|value| [name, b"=", value].concat());
        let planted = planted.iter().map(Vec::as_slice);
        for other in OTHERS.into_iter().chain(planted) {
            let lines: [&[&[u8]]; 4] = [
                &[&[other, b"; ", own].concat()],
                &[&[own, b"; ", other].concat()],
                &[other, own],
                &[own, other],
            ];
            for lines in lines {
                let status = get(address, &target, lines).await;
                assert_eq!(status, "HTTP/1.1 200", "{target} beside {}", other.escape_ascii());
            }
        }
    }
    let junk = alice.cookie_line().trim_start_matches("Cookie: ").replace('=', "=0");
    let nobody = get(address, "/", &[junk.as_bytes()]).await;
    assert_eq!(nobody, "HTTP/1.1 303");
}

/// Asks with these lines of cookies.
async fn get(address: SocketAddr, target: &str, cookies: &[&[u8]]) -> String {
    let mut head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").into_bytes();
    for line in cookies {
        head.extend_from_slice(&[b"Cookie: ", *line, b"\r\n"].concat());
    }
    head.extend_from_slice(b"\r\n");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(&head).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned()
}
