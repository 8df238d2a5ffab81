//! [`Interstitial`]: one page before every file that another site opens.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Response};

use crate::Body;
use crate::content_safety::CROSS_ORIGIN_RESOURCE_POLICY;
use crate::plan::{CDN_CACHE_CONTROL, NO_STORE};

/// The site that a request comes from, seen from the server's: <https://www.w3.org/TR/fetch-metadata/>.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// `navigate` for windows, tabs, frames, `<embed>` and `<object>`.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Both, as the answer's `Vary` names them.
const VARIES: HeaderValue = HeaderValue::from_static("Sec-Fetch-Site, Sec-Fetch-Mode");

/// An empty reference is the page's own address, with its query: the page names no URL.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>Open this file?</title>
</head>
<body>
<h1>Another site sent you here</h1>
<p>It does not learn whether there is a file for you at this address.</p>
<p><a href="">Continue</a></p>
</body>
</html>
"#;

/// Answers the navigations that other sites begin with one page, which leads on with a click. Otherwise another site
/// learns whether its visitor may have a file: it opens the file's address in a window, where a download navigates nowhere
/// and a refusal does.
///
/// The page is the same for every address and every visitor, to the byte. It is decided by two headers of the request alone,
/// so nobody is authenticated and nothing is looked up before. The click is a request of the application's own site, and goes
/// to the gate.
///
/// Requests pass if they are not navigations (`<img>`, `fetch`: `Cross-Origin-Resource-Policy` and CORS answer for them), if
/// they come from the application's own pages, from the address bar or a bookmark, or from a client that sends no
/// `Sec-Fetch-Site`: browsers send it over HTTPS and to `localhost` only. So do methods other than GET and HEAD.
///
/// It is put around the routes of files: with `secure_download::axum::interstitial` and
/// `secure_download::actix::interstitial`. An application whose files are framed by other sites on purpose leaves it away.
///
/// ```
/// use http::{Method, Request};
/// use secure_download_core::Interstitial;
///
/// let interstitial = Interstitial::new();
/// let request = Request::get("/files/1").header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
/// let request = request.body(())?;
/// assert!(interstitial.answer(request.method(), request.headers()).is_some());
/// assert!(interstitial.answer(&Method::GET, &http::HeaderMap::new()).is_none());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Interstitial {
    same_site: bool,
    page: Bytes,
}

impl Default for Interstitial {
    fn default() -> Self {
        Self::new()
    }
}

impl Interstitial {
    /// Every header by which [`Interstitial::answer`] decides.
    pub const READ: [HeaderName; 2] = [SEC_FETCH_SITE, SEC_FETCH_MODE];

    /// Before what other sites open, with a plain page in English.
    #[must_use]
    pub const fn new() -> Self {
        Self { same_site: false, page: Bytes::from_static(PAGE.as_bytes()) }
    }

    /// Also before what other origins of the same site open: for applications that share their domain with strangers, as
    /// `alice.pages.example` and `bob.pages.example` do.
    #[must_use]
    pub const fn before_same_site(mut self) -> Self {
        self.same_site = true;
        self
    }

    /// The application's own page in HTML, UTF-8. It runs no script and loads nothing but a style of its own text
    /// (`<style>`). `<a href="">` leads on.
    #[must_use]
    pub fn page(mut self, html: impl Into<Bytes>) -> Self {
        self.page = html.into();
        self
    }

    /// The page, if this request is a navigation that another site began; otherwise the request goes on, and its answer goes
    /// through [`Interstitial::vary`].
    #[must_use]
    pub fn answer(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
        let says = |name: HeaderName, value: &[u8]| headers.get_all(name).iter().any(|line| line == value);
        let is_foreign =
            says(SEC_FETCH_SITE, b"cross-site") || self.same_site && says(SEC_FETCH_SITE, b"same-site");
        if !is_foreign || !says(SEC_FETCH_MODE, b"navigate") || !matches!(*method, Method::GET | Method::HEAD)
        {
            return None;
        }
        let body = if *method == Method::HEAD { Body::empty() } else { Body::full(self.page.clone()) };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (
                // Without `sandbox`: the click must come from this origin.
                CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; \
                 frame-ancestors 'none'",
            ),
            // The window that opened this one sees nothing of what follows.
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(CDN_CACHE_CONTROL, NO_STORE);
        headers.insert(VARY, VARIES);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.page.len()));
        Some(response)
    }

    /// Marks an answer that this page could have come in place of, so that no cache gives it to a navigation of another site.
    pub fn vary(headers: &mut HeaderMap) {
        headers.append(VARY, VARIES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn navigations_of_other_sites_meet_one_page() {
        let (plain, strict) = (Interstitial::new(), Interstitial::new().before_same_site());
        // site, mode, and whether each stands before it.
        for (site, mode, before, before_strict) in [
            (&["cross-site"][..], &["navigate"][..], true, true),
            (&["same-site"], &["navigate"], false, true),
            (&["same-origin"], &["navigate"], false, false),
            (&["none"], &["navigate"], false, false),
            (&[], &["navigate"], false, false),
            (&["cross-site"], &[], false, false),
            (&["cross-site"], &["no-cors"], false, false),
            (&["cross-site"], &["cors"], false, false),
            (&["cross-site"], &["websocket"], false, false),
            (&["same-origin", "cross-site"], &["navigate"], true, true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, values) in [("sec-fetch-site", site), ("sec-fetch-mode", mode)] {
                for value in values {
                    headers.append(name, HeaderValue::from_static(value));
                }
            }
            for dest in ["document", "iframe", "frame", "embed", "object"] {
                headers.insert("sec-fetch-dest", HeaderValue::from_static(dest));
                for (interstitial, expected) in [(&plain, before), (&strict, before_strict)] {
                    for method in [Method::GET, Method::HEAD] {
                        let answer = interstitial.answer(&method, &headers);
                        assert_eq!(answer.is_some(), expected, "{method} {site:?} {mode:?} {dest}");
                    }
                    assert!(interstitial.answer(&Method::POST, &headers).is_none());
                }
            }
        }
    }

    #[test]
    fn the_page_runs_nothing_and_stays_nowhere() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
        headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
        let own = Interstitial::new().page("<!doctype html><a href=\"\">Weiter</a>");
        let answer = own.answer(&Method::GET, &headers).expect("a page");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("cdn-cache-control", "no-store"),
            ("vary", "Sec-Fetch-Site, Sec-Fetch-Mode"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("content-length", "36"),
        ] {
            assert_eq!(answer.headers()[name], value, "{name}");
        }
        let policy = answer.headers()["content-security-policy"].to_str().expect("ASCII");
        assert!(
            policy.starts_with("default-src 'none'")
                && !policy.contains("script")
                && !policy.contains("sandbox")
        );
        assert!(PAGE.contains("<a href=\"\">") && !PAGE.contains("<script") && !PAGE.contains("<base"));
    }
}
