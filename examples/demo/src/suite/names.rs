//! `/files/{id}/{name}`: for clients that save under the last segment of the path.

use http::StatusCode;

use super::{Demo, Upload, Visitor};

pub(super) async fn check(demo: &Demo) {
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let mut bob = Visitor::signed_in(demo.address(), "bob").await;
    let name = "a #1 ä?.txt";
    let id = alice.upload(Upload { name, content: b"a file with a name" }).await;
    let target = format!("/files/{id}");
    let page = String::from_utf8(alice.get("/").await.body).expect("UTF-8");
    let listed = format!("href=\"{target}/a%20%231%20%C3%A4");
    assert!(page.contains(&listed), "the list links by name");

    let bare = alice.get(&target).await;
    let absent = bob.get("/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee").await;
    let without_date = |answer: &system_tests::Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers
    };
    let plain = ["letter.txt", "share", "links", "delete", "unshare", "a%20b", "%C3%A4", "x.tar.gz"];
    // A reverse proxy may refuse these itself.
    let odd = ["caf%E9.txt", "%ff", "a%2Fb", "%00"];
    for name in plain.into_iter().chain(odd.into_iter().filter(|_| !demo.is_behind_proxy())) {
        let named = format!("{target}/{name}");
        let answer = alice.get(&named).await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"a file with a name"[..]), "{name}");
        if demo.strategy() == "stream" {
            assert_eq!(without_date(&answer), without_date(&bare), "{name}");
        }
        let head = alice.ask("HEAD", &named, &[]).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{name}");
        let part = alice.ask("GET", &named, &["Range: bytes=2-5"]).await;
        assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"file"[..]), "{name}");
        let hidden = bob.get(&named).await;
        assert_eq!((hidden.status, &hidden.body), (StatusCode::NOT_FOUND, &absent.body), "{name}");
        assert_eq!(Visitor::anonymous(demo.address()).get(&named).await.status, StatusCode::UNAUTHORIZED);
    }
    for method in ["POST", "DELETE"] {
        let answer = alice.ask(method, &format!("{target}/letter.txt"), &["Content-Length: 0"]).await;
        assert_eq!(
            (answer.status, answer.field("allow")),
            (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD"))
        );
    }
    assert_eq!(alice.get(&target).await.status, StatusCode::OK, "no name of a GET deletes anything");
}
