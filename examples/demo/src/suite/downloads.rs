//! Downloading, sharing, and what the log says of it.

use http::StatusCode;

use super::{Demo, Upload, Visitor};

/// As many bytes as the picture that the project was measured with, none of them regular.
fn picture() -> Vec<u8> {
    let mut state = 46_287_u64;
    let mut bytes = b"\xff\xd8\xff\xe0".to_vec();
    bytes.resize_with(46_287, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    bytes
}

pub(super) async fn check(demo: &Demo) {
    let address = demo.address();
    let picture = picture();
    let mut alice = Visitor::signed_in(address, "alice").await;
    let mut bob = Visitor::signed_in(address, "bob").await;
    let id = alice.upload(Upload { name: "scan.jpg", content: &picture }).await;
    let target = format!("/files/{id}");

    let whole = alice.get(&target).await;
    assert_eq!((whole.status, whole.body == picture), (StatusCode::OK, true));
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("content-disposition", "attachment; filename=\"scan.jpg\""),
        ("cache-control", "private, no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("content-length", "46287"),
    ] {
        assert_eq!(whole.field(name), Some(value), "{name}");
    }
    let logged = demo.logged(&format!("GET {target} ")).await;
    let sent_by_the_program = match demo.strategy() {
        "accel" => ["200", "0", "accel-redirect"],
        "mask" => ["200", "0", "masked-bucket"],
        _ => ["200", "46287", "stream"],
    };
    assert_eq!(logged[..3], sent_by_the_program);

    let inline = alice.get(&format!("{target}?inline=1")).await;
    assert_eq!(inline.field("content-disposition"), Some("inline; filename=\"scan.jpg\""));
    assert!(inline.field("content-security-policy").is_some_and(|policy| policy.starts_with("sandbox")));

    let head = alice.ask("HEAD", &target, &[]).await;
    assert_eq!(
        (head.status, head.field("content-length"), head.body.len()),
        (StatusCode::OK, Some("46287"), 0)
    );
    let part = alice.ask("GET", &target, &["Range: bytes=46000-"]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &picture[46_000..]));

    for (name, disposition) in [
        (
            "ä %22b%22; c%20.pdf",
            "attachment; filename=\"a _b_; c_20.pdf\"; filename*=UTF-8''%C3%A4%20%22b%22%3B%20c%2520.pdf",
        ),
        ("..%0D%0Aevil: 1.txt", "attachment; filename=\"evil_ 1.txt\"; filename*=UTF-8''evil%3A%201.txt"),
        ("../../etc/passwd", "attachment; filename=\"_.._etc_passwd\""),
        ("page.html", "attachment; filename=\"page.html\""),
    ] {
        let content = b"<script>alert(document.domain)</script>";
        let odd = alice.upload(Upload { name, content }).await;
        let answer = alice.get(&format!("/files/{odd}?inline=1")).await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &content[..]));
        let plain =
            answer.field("content-disposition").map(|value| value.replacen("inline", "attachment", 1));
        assert_eq!(plain.as_deref(), Some(disposition), "{name}");
    }

    let unknown = "/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee";
    let (hidden, absent) = (bob.get(&target).await, bob.get(unknown).await);
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    assert_eq!((hidden.status, &hidden.body), (absent.status, &absent.body));
    let without_date = |answer: &system_tests::Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers
    };
    assert_eq!(without_date(&hidden), without_date(&absent), "the same 404, byte for byte");

    for (with, status) in [
        ("nobody", StatusCode::UNPROCESSABLE_ENTITY),
        ("", StatusCode::BAD_REQUEST),
        ("bob", StatusCode::SEE_OTHER),
        ("bob", StatusCode::SEE_OTHER),
    ] {
        let answer = alice.post(&format!("{target}/share"), &[("with", with)]).await;
        assert_eq!(answer.status, status, "shared with {with}");
    }
    let shared = bob.get(&target).await;
    assert_eq!((shared.status, shared.body == picture), (StatusCode::OK, true));
    assert_eq!(bob.listed().await[0], id, "the newest comes first");

    for (action, form) in
        [("share", &[("with", "bob")][..]), ("delete", &[]), ("links", &[("uses", "1"), ("seconds", "60")])]
    {
        let answer = bob.post(&format!("{target}/{action}"), form).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "only the owner may {action}");
    }
    assert_eq!(alice.get(&target).await.status, StatusCode::OK, "it is still there");
}
