//! [`redeem_page`]: what a link shows before anything is spent.

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response};
use secure_download_core::Body;

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>Private file</title>
</head>
<body>
<h1>Somebody shared a private file with you</h1>
<p>The link may be good for a limited number of downloads. It is used when you press the button, not before.</p>
<form method="post"><button type="submit">Download</button></form>
</body>
</html>
"#;

/// A page with one button that sends a POST to its own address, as an answer to a link's GET.
///
/// Previews, mail scanners and prefetching browsers send GET and HEAD and see only this. It names neither the file nor
/// who shared it, and search engines are told to leave it alone. Apps with a page of their own need no more than
/// `<form method="post"><button>`.
///
/// ```
/// use secure_download_core::Body;
/// use secure_download_links::redeem_page;
///
/// /// `GET /d/{token}`: the same for every token, good or not.
/// async fn page() -> http::Response<Body> {
///     redeem_page()
/// }
/// ```
#[must_use]
pub fn redeem_page() -> Response<Body> {
    let mut response = Response::new(Body::full(PAGE));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(PAGE.len()));
    response
}
