//! One-time, counted and expiring links.

use http::StatusCode;
use system_tests::Answer;

use super::{Demo, Upload, Visitor};

const CONTENT: &[u8] = b"only for whoever has the link, and only once";

/// Makes a link and returns its path.
pub(super) async fn make(owner: &mut Visitor, id: &str, uses: &str, seconds: &str) -> String {
    let page = owner.post(&format!("/files/{id}/links"), &[("uses", uses), ("seconds", seconds)]).await;
    assert_eq!(page.status, StatusCode::OK);
    let page = String::from_utf8(page.body).expect("UTF-8");
    let start = page.find("href=\"/d/").expect("the page shows the link") + "href=\"".len();
    page[start..].split('"').next().expect("an attribute").to_owned()
}

/// Presses the button, and returns where it leads.
pub(super) async fn redeem(visitor: &mut Visitor, link: &str) -> String {
    let answer = visitor.post(link, &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let cookie = answer.field("set-cookie").expect("a lease");
    for attribute in ["HttpOnly", "SameSite=Lax", &format!("Path={link}/file")] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    answer.field("location").expect("a place to go on").to_owned()
}

pub(super) async fn check(demo: &Demo) {
    let address = demo.address();
    let mut alice = Visitor::signed_in(address, "alice").await;
    let id = alice.upload(Upload { name: "letter.txt", content: CONTENT }).await;
    let link = make(&mut alice, &id, "1", "3600").await;
    let token = link.strip_prefix("/d/").expect("a path");
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "mail programs and chats cut {token}");

    let mut preview = Visitor::anonymous(address);
    for _ in 0..3 {
        assert_eq!(preview.get(&link).await.status, StatusCode::OK);
        assert_eq!(preview.ask("HEAD", &link, &[]).await.status, StatusCode::OK);
        assert_eq!(preview.get(&format!("{link}/file")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(preview.ask("HEAD", &format!("{link}/file"), &[]).await.status, StatusCode::NOT_FOUND);
    }

    let mut friend = Visitor::anonymous(address);
    let page = friend.get(&link).await;
    assert!(
        String::from_utf8_lossy(&page.body).contains("method=\"post\""),
        "a button that works without a script"
    );
    let file = redeem(&mut friend, &link).await;
    assert_eq!(file, format!("{link}/file"));
    assert_eq!(friend.ask("HEAD", &file, &[]).await.status, StatusCode::OK, "download managers look first");
    let got = friend.get(&file).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, CONTENT));
    assert_eq!(got.field("content-disposition"), Some("attachment; filename=\"letter.txt\""));
    let rest = friend.ask("GET", &file, &["Range: bytes=20-"]).await;
    assert_eq!((rest.status, &rest.body[..]), (StatusCode::PARTIAL_CONTENT, &CONTENT[20..]), "and resume");

    let mut late = Visitor::anonymous(address);
    assert_eq!(late.post(&link, &[]).await.status, StatusCode::NOT_FOUND, "it was good once");
    assert_eq!(late.get(&file).await.status, StatusCode::NOT_FOUND, "the URL alone opens nothing");

    let expiring = make(&mut alice, &id, "", "600").await;
    for _ in 0..3 {
        let mut visitor = Visitor::anonymous(address);
        let file = redeem(&mut visitor, &expiring).await;
        assert_eq!(visitor.get(&file).await.body, CONTENT);
    }

    let bad: Vec<Answer> = {
        let (start, end) = expiring.split_at(expiring.len() - 10);
        let other = if end.starts_with('A') { "B" } else { "A" };
        let changed = format!("{start}{other}{}", &end[1..]);
        let mut answers = Vec::new();
        for wrong in [changed.as_str(), "/d/x", "/d/", "/d/%ff"] {
            answers.push(Visitor::anonymous(address).get(wrong).await);
            answers.push(Visitor::anonymous(address).post(wrong, &[]).await);
        }
        answers
    };
    // A reverse proxy may refuse what is not UTF-8 itself.
    let refused = |answer: &Answer| {
        answer.status == StatusCode::NOT_FOUND
            || demo.is_behind_proxy() && answer.status == StatusCode::BAD_REQUEST
    };
    let statuses: Vec<_> = bad.iter().map(|answer| answer.status).collect();
    assert!(bad.iter().all(refused), "{statuses:?}");
    for (uses, seconds) in
        [("0", "60"), ("-1", "60"), ("x", "60"), ("1", ""), ("1", "0"), ("1001", "60"), ("1", "9999999")]
    {
        let answer = alice.post(&format!("/files/{id}/links"), &[("uses", uses), ("seconds", seconds)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{uses} uses, {seconds} seconds");
    }

    let mut holder = Visitor::anonymous(address);
    let file = redeem(&mut holder, &expiring).await;
    assert_eq!(alice.post(&format!("/files/{id}/delete"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(holder.get(&file).await.status, StatusCode::NOT_FOUND, "a deleted file has no links");
    assert_eq!(holder.post(&expiring, &[]).await.status, StatusCode::NOT_FOUND);

    let token = link.trim_start_matches("/d/");
    assert!(!demo.log().contains(token), "no token in the log");
}
