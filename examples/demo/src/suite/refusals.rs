//! What nobody may do, and what makes no sense.

use http::StatusCode;

use system_tests::Answer;

use super::{Demo, Visitor};

/// A reverse proxy need not bring such a path before the application; each refuses it in its own way.
fn refused_in_front(demo: &Demo, target: &str, answer: &Answer) -> bool {
    let odd = ["..", "%2f", "%00", "%ff"].iter().any(|part| target.contains(part));
    let refused = demo.is_behind_proxy() && odd;
    assert!(!refused || answer.status.is_client_error(), "{target}: {}", answer.status);
    refused
}

pub(super) async fn check(demo: &Demo) {
    let address = demo.address();
    let mut alice = Visitor::signed_in(address, "alice").await;
    let mut nobody = Visitor::anonymous(address);
    let known = format!("/files/{}", alice.listed().await[0]);

    let mut first = None;
    for target in [&known, "/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee", "/files/x", "/files/..%2f..%2fetc"]
    {
        let mut refused = nobody.get(target).await;
        if refused_in_front(demo, target, &refused) {
            continue;
        }
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{target}");
        assert!(refused.field("www-authenticate").is_some(), "RFC 9110 section 15.5.2");
        // The way back is all that tells them apart.
        let link = format!("href=\"/login?next={}\"", target.replace('%', "%25"));
        let page = String::from_utf8(refused.body).expect("UTF-8");
        assert!(page.contains(&link), "{page}");
        refused.body = page.replace(&link, "").into_bytes();
        refused.headers.remove("date");
        refused.headers.remove("content-length");
        let first = first.get_or_insert_with(|| refused.clone());
        assert_eq!((&refused.headers, &refused.body), (&first.headers, &first.body), "{target}");
    }
    for (action, form) in
        [("share", &[("with", "bob")][..]), ("delete", &[]), ("links", &[("uses", "1"), ("seconds", "60")])]
    {
        assert_eq!(nobody.post(&format!("{known}/{action}"), form).await.status, StatusCode::UNAUTHORIZED);
    }

    for target in
        ["/files/%ff", "/files/a%00b", "/files/", "/nowhere", "/assets/../demo.db", "/assets/demo.db", "/d/x"]
    {
        let answer = alice.get(target).await;
        if refused_in_front(demo, target, &answer) {
            continue;
        }
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{target}");
        assert!(answer.field("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{target}");
    }

    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = alice.ask(method, &known, &["Content-Length: 0"]).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.field("allow"), Some("GET, HEAD"), "{method}");
    }
    for overriding in ["X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE"] {
        assert_eq!(alice.ask("GET", &known, &[overriding]).await.status, StatusCode::OK);
    }

    let form = "Content-Type: application/x-www-form-urlencoded";
    for (field, status) in [
        ("Sec-Fetch-Site: cross-site", StatusCode::FORBIDDEN),
        ("Sec-Fetch-Site: same-site", StatusCode::FORBIDDEN),
        ("Origin: http://evil.example", StatusCode::FORBIDDEN),
        ("Origin: null", StatusCode::FORBIDDEN),
        ("Sec-Fetch-Site: same-origin", StatusCode::SEE_OTHER),
        // The clients of the tests call every host so.
        ("Origin: http://localhost", StatusCode::SEE_OTHER),
    ] {
        let mut visitor = Visitor::anonymous(address);
        let answer = visitor.send("/login", &[form, field], b"username=alice&password=alice").await;
        assert_eq!(answer.status, status, "{field}");
    }

    for (fields, body, status) in [
        (&["Content-Type: application/json"][..], &b"{}"[..], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (&[], b"", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (&[form], &[b'a'; 100_000], StatusCode::PAYLOAD_TOO_LARGE),
        (&[form], b"%ff%00=%&&==", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(nobody.send("/login", fields, body).await.status, status);
    }
    assert_eq!(nobody.ask("DELETE", "/", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(!demo.log().contains("sd-"), "no cookie in the log");
}
