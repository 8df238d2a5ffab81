//! Uploading, and what is refused.

use http::StatusCode;

use super::{Demo, Upload, Visitor};

pub(super) async fn check(demo: &Demo) {
    let address = demo.address();
    let mut nobody = Visitor::anonymous(address);
    let refused = nobody.try_upload(Upload { name: "a.txt", content: b"text" }).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.field("www-authenticate").is_some(), "RFC 9110 section 15.5.2");

    let mut alice = Visitor::signed_in(address, "alice").await;
    let before = alice.listed().await;
    for (content_type, body) in [
        (
            "multipart/form-data; boundary=x",
            &b"--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\na\r\n--x--\r\n"[..],
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--x--\r\n",
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncut off",
        ),
        ("multipart/form-data", b""),
        ("text/plain", b"file=a"),
    ] {
        let field = format!("Content-Type: {content_type}");
        let refused = alice.send("/upload", &[&field], body).await;
        assert_eq!(
            refused.status,
            StatusCode::BAD_REQUEST,
            "{content_type}: {}",
            String::from_utf8_lossy(body)
        );
        assert!(refused.field("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    }
    assert_eq!(alice.listed().await, before, "nothing stays of what was refused");

    // What a browser calls a saved web page. Only the file itself decides what it is.
    let page = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mht\"\r\n\
        Content-Type: multipart/related; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x--\r\n";
    let saved = alice.send("/upload", &["Content-Type: multipart/form-data; boundary=x"], page).await;
    assert_eq!((saved.status, saved.field("location")), (StatusCode::SEE_OTHER, Some("/")));
    let id = alice.listed().await.swap_remove(0);
    let saved = alice.get(&format!("/files/{id}")).await;
    assert_eq!(saved.body, b"--y\r\n\r\na\r\n--y--"[..]);
    alice.post(&format!("/files/{id}/delete"), &[]).await;

    let id = alice.upload(Upload { name: "empty.txt", content: b"" }).await;
    let empty = alice.get(&format!("/files/{id}")).await;
    assert_eq!((empty.status, empty.body.len()), (StatusCode::OK, 0));
    let deleted = alice.post(&format!("/files/{id}/delete"), &[]).await;
    assert_eq!((deleted.status, deleted.field("location")), (StatusCode::SEE_OTHER, Some("/")));
    assert_eq!(alice.get(&format!("/files/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.listed().await, before);
}
