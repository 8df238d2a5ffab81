//! What a file is called in the list, sent as and saved as: after the ending of its name.

use super::{Demo, Upload, Visitor};

pub(super) async fn check(demo: &Demo) {
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let late = [&[b'a'; 9000][..], b"Gr\xfc\xdfe"].concat();
    for (name, content, content_type, kind, has_preview) in [
        ("cars.csv", &b"BMW;2024"[..], "text/csv; charset=utf-8", "CSV file", false),
        ("g.txt", b"GIF or not", "text/plain; charset=utf-8", "Text", true),
        ("i.txt", b"ID3 tags", "text/plain; charset=utf-8", "Text", true),
        ("late.txt", &late, "text/plain", "Text", true),
        ("wide.txt", b"\xff\xfea\0", "text/plain; charset=utf-16", "Text", true),
        ("photo.nef", b"II*\0\x08\0\0\0", "image/x-nikon-nef", "NEF image", false),
        ("art.ai", b"%PDF-1.5\n\0", "application/postscript", "AI file", false),
        ("ring.m4r", b"\0\0\0\x18ftypM4A ", "audio/x-m4r", "M4R audio", false),
        ("page.png", b"<!doctype html><script>", "application/octet-stream", "PNG file", false),
        ("picture.txt", png, "application/octet-stream", "TXT file", false),
        ("picture.png", png, "image/png", "PNG image", true),
        ("page.html", b"<p>", "text/html; charset=utf-8", "Web page", false),
    ] {
        let id = alice.upload(Upload { name, content }).await;
        let answer = alice.deliver(&format!("/files/{id}")).await;
        assert_eq!(answer.field("content-type"), Some(content_type), "{name}");
        assert_eq!(
            answer.field("content-disposition"),
            Some(&*format!("attachment; filename=\"{name}\"")),
            "{name}"
        );
        let page = String::from_utf8(alice.get("/").await.body.clone()).expect("UTF-8");
        let entry = page.split("<li class").nth(1).expect("an entry");
        assert!(entry.contains(&format!("{kind} · ")), "{name}: {entry}");
        assert_eq!(entry.contains("Preview"), has_preview, "{name}");
        assert_eq!(entry.contains("<img"), content_type == "image/png", "{name}");
        alice.post(&format!("/files/{id}/delete"), &[]).await;
    }
}
