//! `--public-url`: behind a proxy that passes no Host on, below a path that the proxy strips.

use http::StatusCode;

use super::{Demo, Upload, Visitor};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

pub(super) async fn check(program: &str) {
    let url = "https://files.example.org/share";
    let demo = Demo::start(program, &["--public-url", url, "--user", "carol:carol"]).await;
    let mut carol = Visitor::anonymous(demo.address());
    let home = carol.get("/").await;
    assert_eq!((home.status, home.field("location")), (StatusCode::SEE_OTHER, Some("/share/login")));
    let refused = carol.get("/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee").await;
    assert!(
        text(&refused.body)
            .contains("href=\"/share/login?next=/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee\"")
    );

    let sign_in = "username=carol&password=carol&next=/files/x";
    for (fields, status) in [
        (&["Host: 127.0.0.1:8000", "Origin: http://127.0.0.1:8000"][..], StatusCode::FORBIDDEN),
        (&["Host: evil.example", "Origin: http://evil.example"], StatusCode::FORBIDDEN),
        (&["Origin: http://files.example.org"], StatusCode::FORBIDDEN),
        (&["Origin: https://files.example.org:8443"], StatusCode::FORBIDDEN),
        (&["Origin: https://files.example.org", "Sec-Fetch-Site: cross-site"], StatusCode::FORBIDDEN),
        (&["Host: 127.0.0.1:8000", "Sec-Fetch-Site: same-origin"], StatusCode::SEE_OTHER),
        (&["Host: 127.0.0.1:8000", "Origin: https://files.example.org"], StatusCode::SEE_OTHER),
    ] {
        let mut visitor = Visitor::anonymous(demo.address());
        let answer = visitor.send("/login", &[fields, &[FORM]].concat(), sign_in.as_bytes()).await;
        assert_eq!(answer.status, status, "{fields:?}");
        if status == StatusCode::SEE_OTHER {
            assert_eq!(answer.field("location"), Some("/share/files/x"));
            let cookie = answer.field("set-cookie").expect("a session").to_owned();
            assert!(cookie.starts_with("__Host-sd-"), "{cookie}");
            for attribute in ["; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
            carol = visitor;
        }
    }

    let file = Upload { name: "a b.txt", content: b"a file below a path" };
    let uploaded = carol.try_upload(file).await;
    assert_eq!((uploaded.status, uploaded.field("location")), (StatusCode::SEE_OTHER, Some("/share/")));
    let list = text(&carol.get("/").await.body);
    let id =
        list.split("href=\"/share/files/").nth(1).and_then(|rest| rest.get(..36)).expect("a file").to_owned();
    let made = carol.send(&format!("/files/{id}/links"), &[FORM], b"uses=2&seconds=60").await;
    let made = text(&made.body);
    let token = made.split("value=\"https://files.example.org/share/d/").nth(1).expect("the link for others");
    let token = token.split('"').next().expect("a token").to_owned();
    let link = carol.get(&format!("/d/{token}")).await;
    for page in [list, made, text(&link.body), text(&carol.get("/login").await.body), text(&refused.body)] {
        for attribute in ["href=\"", "src=\"", "action=\""] {
            for address in page.split(attribute).skip(1) {
                let address = address.split('"').next().unwrap_or_default();
                assert!(address.starts_with("/share/"), "{attribute}{address}");
            }
        }
    }

    let mut friend = Visitor::anonymous(demo.address());
    let leased = friend.post(&format!("/d/{token}"), &[]).await;
    let path = format!("/share/d/{token}/file");
    assert_eq!((leased.status, leased.field("location")), (StatusCode::SEE_OTHER, Some(&*path)));
    let cookie = leased.field("set-cookie").expect("a lease");
    assert!(cookie.starts_with("__Secure-") && cookie.contains("; Secure"), "{cookie}");
    assert!(cookie.contains(&format!("; Path={path};")), "{cookie}");
    let got = friend.get(&format!("/d/{token}/file")).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, file.content));

    let goodbye = carol.post("/logout", &[]).await;
    assert_eq!((goodbye.status, goodbye.field("location")), (StatusCode::SEE_OTHER, Some("/share/login")));
    let forgotten = goodbye.field("set-cookie").expect("an end of the session");
    assert!(forgotten.starts_with("__Host-sd-") && forgotten.contains("; Secure"), "{forgotten}");
    assert_eq!(carol.get("/").await.status, StatusCode::SEE_OTHER);
    demo.stop().await;

    // HTTPS, and no public address: the cookies know.
    let demo = Demo::start(program, &["--https-public", "--user", "carol:carol"]).await;
    let mut carol = Visitor::anonymous(demo.address());
    let answer = carol.post("/login", &[("username", "carol"), ("password", "carol")]).await;
    assert!(answer.field("set-cookie").is_some_and(|cookie| cookie.starts_with("__Host-sd-")));
    assert_eq!(carol.get("/").await.status, StatusCode::OK);
    demo.stop().await;
}

fn text(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).expect("UTF-8")
}
