//! [`SessionCookie`]: which session a browser says that it has.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use secure_download::cookie_values;

use crate::{Page, log_failure};

/// The cookie that names the session. It holds 122 random bits that only the database knows, so it needs no signature.
#[derive(Debug)]
pub(crate) struct SessionCookie {
    name: String,
    attributes: &'static str,
}

impl SessionCookie {
    /// Named after `id`, which no other demo has: browsers send cookies to every port of a host. Over HTTPS no page of a
    /// sibling domain can plant a cookie of its name (RFC 6265bis section 4.1.3.2).
    pub(crate) fn new(id: &str, https: bool) -> Self {
        let (prefix, attributes) = if https {
            ("__Host-", "Path=/; HttpOnly; SameSite=Lax; Secure")
        } else {
            ("", "Path=/; HttpOnly; SameSite=Lax")
        };
        Self { name: format!("{prefix}sd-{id}"), attributes }
    }

    /// Every session that the browser names. Over plain HTTP other applications of the host can plant some.
    pub(crate) fn sessions(&self, headers: &HeaderMap) -> Vec<String> {
        let looks_right =
            |value: &&str| value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        cookie_values(headers, &self.name).filter(looks_right).map(str::to_owned).collect()
    }

    /// Adds the cookie that names `session`.
    pub(crate) fn keep(&self, session: &str, page: Page) -> Page {
        self.put(&format!("{}={session}; {}", self.name, self.attributes), page)
    }

    /// Makes the browser forget the cookie.
    pub(crate) fn forget(&self, page: Page) -> Page {
        self.put(&format!("{}=; Max-Age=0; {}", self.name, self.attributes), page)
    }

    fn put(&self, cookie: &str, mut page: Page) -> Page {
        match HeaderValue::from_str(cookie) {
            Ok(mut cookie) => {
                cookie.set_sensitive(true);
                page.headers_mut().append(SET_COOKIE, cookie);
            }
            Err(error) => log_failure("a cookie was not set", &error),
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::COOKIE;

    #[test]
    fn all_sessions_of_its_name_are_read() {
        let (a, b) = ("a".repeat(32), "0".repeat(32));
        let mut headers = HeaderMap::new();
        for line in [
            format!("session={b}; sd-1={a}"),
            format!("sd-1=junk; sd-1={}; sd-1={b}; __Host-sd-1={b}", "g".repeat(32)),
        ] {
            headers.append(COOKIE, HeaderValue::from_str(&line).expect("a value"));
        }
        assert_eq!(SessionCookie::new("1", false).sessions(&headers), [a.clone(), b.clone()]);
        assert_eq!(
            SessionCookie::new("1", true).sessions(&headers),
            [b],
            "over HTTPS one that nobody plants"
        );
        assert!(SessionCookie::new("2", false).sessions(&headers).is_empty());
    }
}
