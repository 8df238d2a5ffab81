//! Many who try to sign in at the same time.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Demo, Visitor};

/// Right credentials find a place: 3 seconds on an idle machine, and never behind a flood that goes on and on.
const AT_MOST: Duration = Duration::from_secs(60);

pub(super) async fn check(program: &str) {
    clients_that_hang_up(program).await;
    let demo = Demo::start(program, &[]).await;
    let one = |_| Ipv4Addr::LOCALHOST;
    wrong_passwords(&demo, one, "alice").await;
    wrong_passwords(&demo, one, "bob").await;
    // All of 127.0.0.0/8 is this machine.
    if cfg!(target_os = "linux") {
        wrong_passwords(&demo, |number| Ipv4Addr::new(127, 0, 1, number), "alice").await;
    }
    too_many(&demo).await;
    demo.stop().await;
}

async fn clients_that_hang_up(program: &str) {
    let demo = Demo::start(program, &[]).await;
    Visitor::signed_in(demo.address(), "bob").await;
    let (threads, memory) = (status_of(&demo, "Threads:"), status_of(&demo, "VmHWM:"));
    for _ in 0..60 {
        let mut stream = TcpStream::connect(demo.address()).await.expect("connected");
        stream.write_all(&attempt("mallory", "guess")).await.expect("sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
        stream.set_zero_linger().expect("to reset");
    }
    let alice = timeout(AT_MOST, Visitor::signed_in(demo.address(), "alice")).await;
    assert!(alice.is_ok(), "alice waits for clients that are gone");
    let (threads_then, memory_then) = (status_of(&demo, "Threads:"), status_of(&demo, "VmHWM:"));
    assert!(threads_then <= threads + 8, "{threads} threads, then {threads_then}");
    // In kilobytes.
    assert!(memory_then <= memory + 100_000, "{memory} kB, then {memory_then} kB");
    demo.stop().await;
}

/// A number in what Linux says of the process.
fn status_of(demo: &Demo, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", demo.process_id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()).map_or(0, |number| number.parse().expect("a number"))
}

/// 60 clients guess alice's password over and over while somebody signs in from this machine.
async fn wrong_passwords(demo: &Demo, from: impl Fn(u8) -> Ipv4Addr, name: &str) {
    let address = demo.address();
    let running = watch::Sender::new(true);
    let answers = watch::Sender::new(0);
    let mut clients: FuturesUnordered<_> = (1..=60)
        .map(|number| {
            let (from, running, answers) = (from(number), running.subscribe(), answers.clone());
            tokio::spawn(async move {
                while *running.borrow() {
                    let answer = guess(address, from).await;
                    assert!(["401", "503"].contains(&&*status(&answer)), "{answer}");
                    answers.send_modify(|count| *count += 1);
                }
            })
        })
        .collect();
    // The first of them are answered, so all the others wait or come back.
    answers.subscribe().wait_for(|count| *count > 2).await.expect("answers");
    let signed_in = timeout(AT_MOST, Visitor::signed_in(address, name)).await;
    assert!(signed_in.is_ok(), "{name} finds no place");
    running.send_replace(false);
    while let Some(client) = clients.next().await {
        client.expect("its answers are right");
    }
}

/// Beyond a short queue clients are told to come back.
async fn too_many(demo: &Demo) {
    let guesses = (0..200).map(|_| guess(demo.address(), Ipv4Addr::LOCALHOST));
    let mut guesses: FuturesUnordered<_> = guesses.collect();
    let mut refused = 0;
    while refused < 100 {
        let answer = guesses.next().await.expect("more are refused");
        if status(&answer) == StatusCode::SERVICE_UNAVAILABLE.as_str() {
            let seconds = answer.to_ascii_lowercase();
            let seconds =
                seconds.split("\r\nretry-after: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            assert!(seconds.is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{answer}");
            refused += 1;
        }
    }
}

fn status(answer: &str) -> String {
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

async fn guess(address: SocketAddr, from: Ipv4Addr) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address of this machine");
    let mut stream = socket.connect(address).await.expect("connected");
    stream.write_all(&attempt("alice", "wrong")).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8(answer).expect("UTF-8")
}

fn attempt(name: &str, password: &str) -> Vec<u8> {
    let form = format!("username={name}&password={password}");
    let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                Content-Type: application/x-www-form-urlencoded";
    format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()).into_bytes()
}
