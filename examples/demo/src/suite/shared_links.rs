//! Two processes of one application that share their links on a Redis server.

use futures_util::future::join_all;
use http::StatusCode;
use system_tests::{Http1, RedisServer};

use super::links::{make, redeem};
use super::{Demo, Upload, Visitor};

/// More than the kernel takes at once, so that a download can be cut in the middle.
const LARGE: usize = 24 << 20;

/// One use is one use, whichever process is asked; and one that is killed in the middle leaves the links as they are.
pub async fn run_shared_links(program: &str, arguments: &[&str]) {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let arguments = [arguments, &["--links", &url]].concat();
    let first = Demo::start(program, &arguments).await;
    let second = first.start_beside(program, &arguments).await;
    let mut alice = Visitor::signed_in(first.address(), "alice").await;
    let content: Vec<u8> = (0..LARGE).map(|index| (index / 4096 * 31 + index) as u8).collect();
    let id = alice.upload(Upload { name: "large.bin", content: &content }).await;

    for uses in ["1", "3"] {
        let link = make(&mut alice, &id, uses, "3600").await;
        let attempts = (0..32).map(|number| {
            let demo = if number % 2 == 0 { &first } else { &second };
            let (mut visitor, link) = (Visitor::anonymous(demo.address()), link.clone());
            async move { visitor.post(&link, &[]).await.status }
        });
        let statuses = join_all(attempts).await;
        let winners = statuses.iter().filter(|status| **status == StatusCode::SEE_OTHER).count();
        assert_eq!(winners.to_string(), uses, "{statuses:?}");
    }

    let link = make(&mut alice, &id, "1", "3600").await;
    let mut friend = Visitor::anonymous(second.address());
    let file = redeem(&mut friend, &link).await;
    let mut connection = Http1::connect(second.address()).await;
    connection.send("GET", &file, &[friend.cookie_line()]).await;
    let sixty_percent = LARGE * 6 / 10;
    let got = connection.receive_part(sixty_percent).await;
    assert!(got == content[..sixty_percent], "the first 60 %");
    second.kill().await;

    let mut resumed = friend.at(first.address());
    let rest = resumed.ask("GET", &file, &[&format!("Range: bytes={sixty_percent}-")]).await;
    assert_eq!((rest.status, rest.body == content[sixty_percent..]), (StatusCode::PARTIAL_CONTENT, true));
    let mut late = Visitor::anonymous(first.address());
    assert_eq!(late.post(&link, &[]).await.status, StatusCode::NOT_FOUND, "its one use is spent");
    assert_eq!(late.get(&file).await.status, StatusCode::NOT_FOUND);

    assert_eq!(alice.get("/readyz").await.status, StatusCode::OK);
    drop(redis);
    assert_eq!(alice.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE, "no link can be redeemed");
    let answer = resumed.get(&file).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "without its store a link opens nothing");
    assert_eq!(late.post(&link, &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(alice.get(&format!("/files/{id}")).await.status, StatusCode::OK, "everything else goes on");
    first.stop().await;
}
