//! Refuses POSTs that another site made a visitor's browser send.

use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, Method};

use crate::host;
use crate::public_url::PublicUrl;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the browser's own origin is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Address<'a> {
    /// The public address.
    Public(&'a PublicUrl),
    /// Whatever the request calls the host, where no public address is known.
    Host(Option<&'a str>),
}

impl Address<'_> {
    pub(crate) fn is_origin(self, origin: &str) -> bool {
        match self {
            Self::Public(url) => url.is_origin(origin),
            Self::Host(host) => host.is_some_and(|host| host::is_origin_of(origin, host)),
        }
    }
}

/// Whether a request that changes something comes from the own pages of the site at `address`.
///
/// Browsers say so themselves, in `Sec-Fetch-Site` or, where they do not send that (plain HTTP), in `Origin`. A
/// client that sends neither is no browser that could be tricked, so it may go on. GET and HEAD change nothing
/// and may come from anywhere.
pub(crate) fn allows(method: &Method, headers: &HeaderMap, address: Address<'_>) -> bool {
    if method.is_safe() {
        return true;
    }
    if headers.contains_key(&SEC_FETCH_SITE) {
        // `none`: the visitor's own doing, such as sending a form again. `same-site` is another origin.
        return headers
            .get_all(&SEC_FETCH_SITE)
            .iter()
            .all(|value| matches!(value.as_bytes(), b"same-origin" | b"none"));
    }
    headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(|origin| address.is_origin(origin)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn post(address: Address<'_>, lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        allows(&Method::POST, &headers, address)
    }

    #[test]
    fn only_this_sites_own_pages_may_post() {
        let files = "files.example:8000";
        for (host, good) in [
            (Some(files), &[][..]),
            (None, &[("sec-fetch-site", "same-origin")]),
            (None, &[("sec-fetch-site", "none")]),
            (Some(files), &[("sec-fetch-site", "same-origin"), ("origin", "null")]),
            (Some(files), &[("origin", "http://files.example:8000")]),
            (Some(files), &[("origin", "https://FILES.example:8000")]),
            (Some("files.example"), &[("origin", "https://files.example")]),
            (Some("files.example:443"), &[("origin", "https://files.example")]),
        ] {
            assert!(post(Address::Host(host), good), "{host:?} {good:?}");
        }
        for (host, bad) in [
            (None, &[("sec-fetch-site", "cross-site")][..]),
            (None, &[("sec-fetch-site", "same-site")]),
            (None, &[("sec-fetch-site", "")]),
            (None, &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]),
            (Some(files), &[("sec-fetch-site", "cross-site"), ("origin", "http://files.example:8000")]),
            (None, &[("origin", "http://files.example:8000")]),
            (Some(files), &[("origin", "null")]),
            (Some(files), &[("origin", "")]),
            (Some(files), &[("origin", "http://evil.example")]),
            (Some(files), &[("origin", "http://files.example")]),
            (Some(files), &[("origin", "http://files.example:8001")]),
            (Some(files), &[("origin", "http://files.example:8000.evil.example")]),
            (Some(files), &[("origin", "http://files.example:8000@evil.example")]),
            (Some(files), &[("origin", "files.example:8000")]),
            (Some(files), &[("origin", "http://files.example:8000"), ("origin", "http://evil.example")]),
        ] {
            assert!(!post(Address::Host(host), bad), "{host:?} {bad:?}");
        }
        let public = "http://files.example/share".parse().expect("a URL");
        let public = Address::Public(&public);
        assert!(post(public, &[("host", "127.0.0.1:8000"), ("origin", "http://files.example")]));
        assert!(!post(public, &[("host", "127.0.0.1:8000"), ("origin", "http://127.0.0.1:8000")]));
        assert!(!post(public, &[("host", "evil.example"), ("origin", "http://evil.example")]));
        let mut cross = HeaderMap::new();
        cross.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
        let nowhere = Address::Host(None);
        assert!(allows(&Method::GET, &cross, nowhere) && allows(&Method::HEAD, &cross, nowhere));
        assert!(!allows(&Method::DELETE, &cross, nowhere));
    }
}
