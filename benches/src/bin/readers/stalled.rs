//! Clients that ask and never read.

use std::time::Instant;

use demo::suite::{Demo, Upload, Visitor};
use tokio::task::JoinSet;

use crate::content::Content;
use crate::reader::{Reader, request};

const PLACES: usize = 50;
const CLIENTS: usize = 80;

pub(crate) async fn check(program: &str) {
    let places = PLACES.to_string();
    let limits = ["--max-downloads", &places, "--max-downloads-per-user", &places, "--stall-seconds", "3"];
    let demo = Demo::start(program, &limits).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let content = Content::new(16 << 20);
    let id = alice.upload(Upload { name: "large.bin", content: content.bytes() }).await;
    let target = format!("/files/{id}");
    let request = request(&target, &alice.cookie_line());

    let started = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..CLIENTS {
        let (address, request) = (demo.address(), request.clone());
        asking.spawn(async move {
            let mut client = Reader::ask(address, &request).await;
            let head = client.head().await;
            (client, head)
        });
    }
    let clients = asking.join_all().await;
    let served = clients.iter().filter(|(_, head)| head.starts_with("HTTP/1.1 200 ")).count();
    let refused = clients
        .iter()
        .filter(|(_, head)| {
            head.starts_with("HTTP/1.1 503 ") && head.to_lowercase().contains("retry-after: ")
        })
        .count();
    println!(
        "{CLIENTS} clients that stop reading, {PLACES} places: {served} served, {refused} told to come back"
    );
    assert_eq!((served, refused), (PLACES, CLIENTS - PLACES));

    loop {
        let answer = alice.get(&target).await;
        if answer.status == 200 {
            content.check(0, &answer.body);
            assert_eq!(answer.body.len(), content.bytes().len());
            break;
        }
        assert_eq!(answer.status, 503);
        assert!(started.elapsed().as_secs() < 60, "stalled clients are never cut");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    println!(
        "cut by the stall timeout of 3 s: a normal download came through after {:.1?}",
        started.elapsed()
    );
    drop(clients);
    demo.stop().await;
}
