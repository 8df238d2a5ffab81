//! Signing in and out.

use http::StatusCode;

use super::{Demo, Visitor};

pub(super) async fn check(demo: &Demo) {
    let mut nobody = Visitor::anonymous(demo.address());
    let healthy = nobody.get("/healthz").await;
    assert_eq!((healthy.status, &healthy.body[..]), (StatusCode::OK, &b"ok"[..]));

    let home = nobody.get("/").await;
    assert_eq!((home.status, home.field("location")), (StatusCode::SEE_OTHER, Some("/login")));
    assert_eq!(nobody.get("/login").await.status, StatusCode::OK);

    for (name, password) in
        [("alice", "wrong"), ("alice", ""), ("mallory", "alice"), ("", ""), ("Alice", "alice")]
    {
        let refused = nobody.post("/login", &[("username", name), ("password", password)]).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{name}:{password}");
        assert_eq!(refused.field("set-cookie"), None);
        assert_eq!(nobody.get("/").await.status, StatusCode::SEE_OTHER);
    }

    let mut alice = nobody.clone();
    let welcome = alice.post("/login", &[("username", "alice"), ("password", "alice")]).await;
    assert_eq!((welcome.status, welcome.field("location")), (StatusCode::SEE_OTHER, Some("/")));
    let cookie = welcome.field("set-cookie").expect("a session").to_ascii_lowercase();
    for attribute in ["httponly", "samesite=lax", "path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(cookie.starts_with("sd-") && !cookie.contains("secure"), "plain HTTP: {cookie}");
    assert!(!alice.listed().await.is_empty(), "there are samples to look at");

    let mut forgotten = alice.clone();
    let goodbye = alice.post("/logout", &[]).await;
    assert_eq!((goodbye.status, goodbye.field("location")), (StatusCode::SEE_OTHER, Some("/login")));
    assert_eq!(alice.get("/").await.status, StatusCode::SEE_OTHER);
    let stolen = forgotten.get("/").await;
    assert_eq!(stolen.status, StatusCode::SEE_OTHER, "the cookie of an ended session opens nothing");
}
