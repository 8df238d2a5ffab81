//! What `--strategy presign` adds: downloads are redirected to a bucket, for a moment.

use std::time::Duration;

use http::{StatusCode, Uri};
use rustix::process::Signal;
use system_tests::fetch;

use super::ends::{LONG, begin, rest_of};
use super::links::{make, redeem};
use super::{Bucket, Demo, Upload, Visitor};

/// Runs the checks of presigned delivery against one demo application, given the path of its program.
pub async fn run_presigned(program: &str) {
    run_presigned_at(program, Bucket::default()).await;
    transfers_of_the_embedded_store_finish(program).await;
}

/// When the program ends, what its own store has begun is sent.
async fn transfers_of_the_embedded_store_finish(program: &str) {
    let demo = Demo::start(program, &["--strategy", "presign", "--drain", "60"]).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let id = alice.upload(Upload { name: "long.bin", content: &vec![7; LONG] }).await;
    let redirect = alice.get(&format!("/files/{id}")).await;
    let url: Uri = redirect.field("location").expect("a location").parse().expect("a URL");
    let store = url.authority().expect("a host").as_str();
    let running = begin(store, &url.path_and_query().expect("a path").to_string(), "Accept: */*").await;
    demo.signal(Signal::TERM);
    while alice.get("/readyz").await.status == StatusCode::OK {}
    assert!(rest_of(running).await > LONG, "the head's rest and the whole file");
    demo.ended().await;
}

/// The same, with this bucket.
pub async fn run_presigned_at(program: &str, bucket: Bucket<'_>) {
    let own = ["--strategy", "presign", "--expires", "2"];
    let demo = Demo::start_with(program, &[&own, bucket.arguments].concat(), bucket.environment).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let mut bob = Visitor::signed_in(demo.address(), "bob").await;
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let id = alice.upload(Upload { name: "ü 1.bin", content: &content }).await;
    let target = format!("/files/{id}");

    let redirect = alice.get(&target).await;
    assert_eq!((redirect.status, redirect.body.len()), (StatusCode::FOUND, 0));
    assert_eq!(redirect.field("cache-control"), Some("private, no-store"));
    assert_eq!(redirect.field("referrer-policy"), Some("no-referrer"));
    let url = redirect.field("location").expect("a location").to_owned();
    let answer = fetch("GET", &url, &[]).await;
    assert_eq!((answer.status, answer.body == content), (StatusCode::OK, true));
    // Firefox seeks no further than it has read otherwise.
    assert_eq!(answer.field("accept-ranges"), Some("bytes"));
    assert_eq!(
        answer.field("content-disposition"),
        Some("attachment; filename=\"u 1.bin\"; filename*=UTF-8''%C3%BC%201.bin")
    );
    let logged = demo.logged(&format!("GET {target} ")).await;
    assert_eq!(logged[..3], ["302", "0", "presign"]);

    let head = alice.ask("HEAD", &target, &[]).await;
    let head = fetch("HEAD", head.field("location").expect("a location"), &[]).await;
    assert_eq!((head.status, head.field("content-length")), (StatusCode::OK, Some("400000")));

    // A URL can be replayed while it lives, so what is good for one use comes from the program itself.
    let link = make(&mut alice, &id, "1", "60").await;
    let mut friend = Visitor::anonymous(demo.address());
    let file = redeem(&mut friend, &link).await;
    let once = friend.get(&file).await;
    assert_eq!((once.status, once.field("location"), once.body == content), (StatusCode::OK, None, true));
    let part = friend.ask("GET", &file, &["Range: bytes=399996-"]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &content[399_996..]));
    assert_eq!(friend.ask("HEAD", &file, &[]).await.field("location"), None);
    assert_eq!(Visitor::anonymous(demo.address()).post(&link, &[]).await.status, StatusCode::NOT_FOUND);

    let hidden = bob.get(&target).await;
    assert_eq!((hidden.status, hidden.field("location")), (StatusCode::NOT_FOUND, None));
    let bare = url.split('?').next().expect("a path");
    assert_eq!(fetch("GET", bare, &[]).await.status, StatusCode::FORBIDDEN, "the bucket is private");

    // The store's own refusal, once its clock has passed the end.
    let refusal = loop {
        let answer = fetch("GET", &url, &[]).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(refusal.status, StatusCode::FORBIDDEN);
    // AWS and the embedded server give the reason, Ceph does not.
    let reason = if bucket.arguments.is_empty() { "Request has expired" } else { "AccessDenied" };
    assert!(String::from_utf8_lossy(&refusal.body).contains(reason));

    let deleted = alice.post(&format!("{target}/delete"), &[]).await;
    assert_eq!(deleted.status, StatusCode::SEE_OTHER);
    let log = demo.log();
    for secret in ["X-Amz-", "Signature", url.rsplit('=').next().expect("a signature")] {
        assert!(!log.contains(secret), "{log}");
    }
    demo.stop().await;
}
