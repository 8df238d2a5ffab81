//! Refuses POSTs that another site made a visitor's browser send.

use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Method, Uri};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request that changes something comes from this site's own pages.
///
/// Browsers say so themselves, in `Sec-Fetch-Site` or, where they do not send that (plain HTTP), in `Origin`. A
/// client that sends neither is no browser that could be tricked, so it may go on. GET and HEAD change nothing
/// and may come from anywhere.
///
/// ```
/// use http::{HeaderMap, HeaderValue, Method};
///
/// let mut headers = HeaderMap::new();
/// assert!(demo::cross_site::allows(&Method::POST, &headers));
/// headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
/// assert!(!demo::cross_site::allows(&Method::POST, &headers));
/// ```
#[must_use]
pub fn allows(method: &Method, headers: &HeaderMap) -> bool {
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
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    headers
        .get_all(ORIGIN)
        .iter()
        .all(|origin| origin.to_str().is_ok_and(|origin| host.is_some_and(|host| is_origin_of(origin, host))))
}

/// Whether `origin` (`scheme://host[:port]`) names `host` (`host[:port]`). The scheme is left out of it, because a
/// TLS proxy in front changes it.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let (Some(authority), Ok(host)) = (origin.authority(), host.parse::<http::uri::Authority>()) else {
        return false;
    };
    authority.host().eq_ignore_ascii_case(host.host())
        && authority.port_u16().unwrap_or(default_port) == host.port_u16().unwrap_or(default_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn post(lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        allows(&Method::POST, &headers)
    }

    #[test]
    fn only_this_sites_own_pages_may_post() {
        let host = ("host", "files.example:8000");
        for good in [
            &[][..],
            &[host],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), host, ("origin", "null")],
            &[host, ("origin", "http://files.example:8000")],
            &[host, ("origin", "https://FILES.example:8000")],
            &[("host", "files.example"), ("origin", "https://files.example")],
            &[("host", "files.example:443"), ("origin", "https://files.example")],
        ] {
            assert!(post(good), "{good:?}");
        }
        for bad in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "cross-site"), host, ("origin", "http://files.example:8000")],
            &[("origin", "http://files.example:8000")],
            &[host, ("origin", "null")],
            &[host, ("origin", "")],
            &[host, ("origin", "http://evil.example")],
            &[host, ("origin", "http://files.example")],
            &[host, ("origin", "http://files.example:8001")],
            &[host, ("origin", "http://files.example:8000.evil.example")],
            &[host, ("origin", "http://files.example:8000@evil.example")],
            &[host, ("origin", "files.example:8000")],
            &[host, ("origin", "http://files.example:8000"), ("origin", "http://evil.example")],
        ] {
            assert!(!post(bad), "{bad:?}");
        }
        let mut cross = HeaderMap::new();
        cross.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
        assert!(allows(&Method::GET, &cross) && allows(&Method::HEAD, &cross));
        assert!(!allows(&Method::DELETE, &cross));
    }
}
