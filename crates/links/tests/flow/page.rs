//! The page with the button, and what comes behind it.

use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use secure_download_links::redeem_page;

use super::{one_time, read, site};

#[tokio::test]
async fn the_answer_to_the_button_goes_to_one_path_and_hides_its_secrets() {
    let site = site();
    for (path, secure, good) in [
        ("/d/x/file", false, true),
        ("/d/x/file", true, true),
        ("//evil.example/", true, false),
        ("https://evil.example/", true, false),
        ("/d/x; Domain=evil.example", true, false),
        ("/d/x\r\nX: y", true, false),
        ("/d/ä", true, false),
    ] {
        let token = site.mint(one_time()).await;
        let redeemed = site.links.redeem(&token).await.expect("answers").expect("a use");
        assert!(!format!("{redeemed:?}").contains("lease:"));
        let response = redeemed.into_response(path, secure);
        if !good {
            assert_eq!(response.status(), 500, "{path}");
            assert!(response.headers().get(SET_COOKIE).is_none());
            continue;
        }
        assert_eq!(
            (response.status(), &response.headers()[LOCATION]),
            (StatusCode::SEE_OTHER, &path.parse::<HeaderValue>().expect("ASCII"))
        );
        let cookie = &response.headers()[SET_COOKIE];
        assert!(cookie.is_sensitive() && response.headers()[LOCATION].is_sensitive());
        let cookie = cookie.to_str().expect("ASCII");
        for attribute in ["; Path=/d/x/file", "; Max-Age=600", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure);
    }
}

#[tokio::test]
async fn the_page_has_one_button_and_no_secret() {
    let page = redeem_page();
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["x-robots-tag"], "noindex, nofollow");
    let (status, markup) = read(page).await;
    assert_eq!(status, 200);
    assert!(markup.contains("<form method=\"post\">") && !markup.contains("src="), "{markup}");
}
