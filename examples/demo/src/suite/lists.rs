//! The pages of the list, and shares that are taken back.

use std::collections::HashSet;

use http::StatusCode;

use super::visitor::form;
use super::{Demo, Upload, Visitor};

pub(super) async fn check(demo: &Demo) {
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let mut bob = Visitor::signed_in(demo.address(), "bob").await;
    unshare(&mut alice, &mut bob).await;
    if demo.strategy() == "stream" {
        pages(&mut alice, &mut bob).await;
    }
    for page in ["0", "-1", "x", "", "99999999999"] {
        assert_eq!(alice.get(&format!("/?page={page}")).await.status, StatusCode::BAD_REQUEST, "{page}");
    }
    assert_eq!(alice.get("/?page=4294967295").await.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.get("/?page=1&a=b").await.body, alice.get("/").await.body);
}

async fn unshare(alice: &mut Visitor, bob: &mut Visitor) {
    let id = alice.upload(Upload { name: "shared.txt", content: b"shared" }).await;
    let (file, unshare) = (format!("/files/{id}"), format!("/files/{id}/unshare"));
    let share = async |alice: &mut Visitor| alice.post(&format!("{file}/share"), &[("with", "bob")]).await;
    let unknown = "/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee/unshare";
    let absent = bob.post(unknown, &[("with", "bob")]).await;
    let hidden = bob.post(&unshare, &[("with", "bob")]).await;
    assert_eq!((hidden.status, &hidden.body), (StatusCode::NOT_FOUND, &absent.body));

    // The owner takes it back.
    share(alice).await;
    assert!(bob.listed().await.contains(&id));
    for (with, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("nobody", StatusCode::UNPROCESSABLE_ENTITY),
        ("alice", StatusCode::SEE_OTHER),
    ] {
        assert_eq!(alice.post(&unshare, &[("with", with)]).await.status, status, "{with}");
    }
    assert_ne!(bob.get(&file).await.status, StatusCode::NOT_FOUND, "still shared");
    for _twice in 0..2 {
        let answer = alice.post(&unshare, &[("with", "bob")]).await;
        assert_eq!((answer.status, answer.field("location")), (StatusCode::SEE_OTHER, Some("/")));
    }
    assert_eq!(bob.get(&file).await.status, StatusCode::NOT_FOUND);
    assert!(!bob.listed().await.contains(&id));

    // The other takes it off the own list.
    share(alice).await;
    let others = bob.post(&unshare, &[("with", "alice")]).await;
    assert_eq!(others.status, StatusCode::FORBIDDEN);
    assert!(bob.listed().await.contains(&id));
    assert_eq!(bob.post(&unshare, &[("with", "bob")]).await.status, StatusCode::SEE_OTHER);
    assert!(!bob.listed().await.contains(&id));
    assert_eq!(bob.get(&file).await.status, StatusCode::NOT_FOUND);
    let nobody = Visitor::anonymous(alice.address()).post(&unshare, &[("with", "bob")]).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    alice.post(&format!("{file}/delete"), &[]).await;
}

/// What others share, however much, takes no place of one's own files.
async fn pages(alice: &mut Visitor, bob: &mut Visitor) {
    let own = alice.listed().await;
    let many = vec![("filename=\"of bob.txt\"".to_owned(), b"a".to_vec()); 130];
    assert_eq!(bob.send_form(&form(&many)).await.status, StatusCode::SEE_OTHER);
    let of_bob = all(bob).await;
    assert!(of_bob.len() >= 130);
    for id in &of_bob {
        bob.post(&format!("/files/{id}/share"), &[("with", "alice")]).await;
    }
    let first = alice.listed().await;
    assert!(own.iter().all(|id| first.contains(id)), "sharing hides nothing");
    assert!(first.len() <= 100, "{}", first.len());
    let every = all(alice).await;
    let once: HashSet<_> = every.iter().collect();
    assert_eq!(once.len(), every.len(), "no file is listed twice");
    assert_eq!(once, own.iter().chain(&of_bob).collect(), "and none is left out");
    for id in &of_bob {
        bob.post(&format!("/files/{id}/delete"), &[]).await;
    }
    assert_eq!(alice.listed().await, own);
}

/// The ids on all pages, by the links from one to the next.
async fn all(visitor: &mut Visitor) -> Vec<String> {
    let (mut ids, mut target) = (Vec::new(), "/".to_owned());
    loop {
        ids.extend(visitor.listed_at(&target).await);
        let page = String::from_utf8(visitor.get(&target).await.body.clone()).expect("UTF-8");
        match page.split("rel=\"next\" href=\"").nth(1) {
            Some(rest) => target = rest.split('"').next().expect("an address").to_owned(),
            None => return ids,
        }
    }
}
