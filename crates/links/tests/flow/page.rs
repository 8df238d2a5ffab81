//! The page with the button, and what comes behind it.

use std::num::NonZeroU32;

use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use secure_download_links::{LinkKey, redeem_page};

use super::{SECRET, fields, key, one_time, read, site};

#[tokio::test]
async fn the_answer_to_the_button_goes_to_one_path_and_hides_its_secrets() {
    let site = site();
    for (path, secure, good) in [
        ("/d/x/file", false, true),
        ("/d/x/file", true, true),
        ("//evil.example/", true, false),
        ("/\\evil.example/", true, false),
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
        let name = if secure { "__Secure-secure-download-lease" } else { "secure-download-lease" };
        assert_eq!(cookie.split('=').next(), Some(name));
        let back = fields(&[("cookie", cookie.split(';').next().expect("a pair"))]);
        assert!(site.links.bearer(&token, &back).is_some(), "{name} is read");
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

#[tokio::test]
async fn what_is_printed_for_debugging_shows_no_secret() {
    let site = site();
    let token = site.mint(one_time()).await;
    let redeemed = site.links.redeem(&token).await.expect("the store answers").expect("good");
    assert_eq!((redeemed.claims().record(), redeemed.claims().uses()), ("scan", NonZeroU32::new(1)));
    let mut shown = format!("{:?} {redeemed:?} {:?} {:?}", site.links, key(7), site.links.signer());
    let response = redeemed.into_response("/d/x", true);
    let cookie = response.headers()[SET_COOKIE].to_str().expect("ASCII");
    let lease = cookie.split(['=', ';']).nth(1).expect("a value").to_owned();
    let bearer = site.links.bearer(&token, &fields(&[("cookie", cookie)]));
    shown += &format!("{bearer:?} {:?}", response.headers());
    for secret in [token.as_str(), lease.as_str(), SECRET] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let weak = LinkKey::new(1, "hunter2").expect_err("too short");
    assert!(!format!("{weak:?} {weak}").contains("hunter2"));
    for weak in ["", &SECRET[1..], &"x".repeat(32)] {
        assert!(LinkKey::new(1, weak).is_err(), "{weak}");
    }
}
