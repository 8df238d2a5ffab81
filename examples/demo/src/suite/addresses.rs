//! By which name the site is reached, and others on the same host.

use http::StatusCode;

use super::{Demo, Upload, Visitor};

pub(super) async fn check(program: &str) {
    let first = Demo::start(program, &[]).await;
    let second = Demo::start(program, &[]).await;
    sample_users_have_a_loopback_host(&first).await;
    two_on_one_host(&first, &second).await;
    first.stop().await;
    second.stop().await;
    users_of_ones_own_have_any_host(program).await;
}

async fn sample_users_have_a_loopback_host(demo: &Demo) {
    let mut visitor = Visitor::anonymous(demo.address());
    let form = "Content-Type: application/x-www-form-urlencoded";
    for (host, is_loopback) in [
        ("localhost", true),
        ("localhost:8000", true),
        ("LOCALHOST.", true),
        ("demo.localhost:8000", true),
        ("127.0.0.1", true),
        ("127.4.5.6:8000", true),
        ("[::1]:8000", true),
        ("evil.example", false),
        ("evil.example:8000", false),
        ("localhost.evil.example", false),
        ("notlocalhost", false),
        ("127.0.0.1.evil.example", false),
        ("10.0.0.1", false),
        ("0.0.0.0", false),
        ("[::2]", false),
        ("localhost@evil.example", false),
    ] {
        let host_line = format!("Host: {host}");
        let origin = format!("Origin: http://{host}");
        let page = visitor.ask("GET", "/login", &[&host_line]).await;
        let fields = [&*host_line, &*origin, form, "Sec-Fetch-Site: same-origin"];
        let signed_in = visitor.send("/login", &fields, b"username=alice&password=alice").await;
        if is_loopback {
            assert_eq!((page.status, signed_in.status), (StatusCode::OK, StatusCode::SEE_OTHER), "{host}");
            continue;
        }
        for refused in [page, signed_in] {
            // A server may itself refuse what is no host.
            assert!(
                refused.status == StatusCode::MISDIRECTED_REQUEST
                    || host.contains('@') && refused.status == StatusCode::BAD_REQUEST,
                "{host}: {}",
                refused.status
            );
            assert_eq!(refused.field("set-cookie"), None);
            if refused.status == StatusCode::MISDIRECTED_REQUEST {
                assert!(String::from_utf8_lossy(&refused.body).contains("--user"), "{host}");
            }
        }
    }
    let absolute = visitor.ask("GET", "http://evil.example/login", &[]).await;
    assert_eq!(absolute.status, StatusCode::MISDIRECTED_REQUEST, "the target counts too");
}

/// A browser sends the cookies of a host to each of its ports.
async fn two_on_one_host(first: &Demo, second: &Demo) {
    let alice = Visitor::signed_in(first.address(), "alice").await;
    let mut elsewhere = alice.at(second.address());
    assert_eq!(elsewhere.get("/").await.status, StatusCode::SEE_OTHER, "a session is good at one site only");
    let form = [("username", "bob"), ("password", "bob")];
    assert_eq!(elsewhere.post("/login", &form).await.status, StatusCode::SEE_OTHER);
    let mut back = elsewhere.at(first.address());
    assert_eq!(back.get("/").await.status, StatusCode::OK, "still signed in");
    assert_eq!(elsewhere.get("/").await.status, StatusCode::OK);
    elsewhere.post("/logout", &[]).await;
    assert_eq!(back.get("/").await.status, StatusCode::OK, "signing out elsewhere is no signing out here");
}

async fn users_of_ones_own_have_any_host(program: &str) {
    let demo = Demo::start(program, &["--user", "carol:carol"]).await;
    let form = "Content-Type: application/x-www-form-urlencoded";
    let credentials = b"username=carol&password=carol";
    // Behind a proxy that passes Host on.
    for (host, origin, status) in [
        ("files.example", "https://files.example", StatusCode::SEE_OTHER),
        ("files.example:8080", "http://files.example:8080", StatusCode::SEE_OTHER),
        // Behind one that does not.
        ("127.0.0.1:8000", "http://files.example", StatusCode::FORBIDDEN),
        ("files.example", "http://files.example:8080", StatusCode::FORBIDDEN),
    ] {
        let mut carol = Visitor::anonymous(demo.address());
        let lines = [format!("Host: {host}"), format!("Origin: {origin}")];
        let answer = carol.send("/login", &[&lines[0], &lines[1], form], credentials).await;
        assert_eq!(answer.status, status, "{host} {origin}");
        if status == StatusCode::FORBIDDEN {
            let page = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(page.contains("--public-url"), "it says what to set: {page}");
            continue;
        }
        let id = carol.upload(Upload { name: "a.txt", content: b"a" }).await;
        let target = format!("/files/{id}/links");
        let made = carol.send(&target, &[&lines[0], &lines[1], form], b"uses=1&seconds=60").await;
        let link = format!("value=\"{origin}/d/");
        assert!(String::from_utf8_lossy(&made.body).contains(&link), "the link is for others: {link}");
    }
    demo.stop().await;
}
