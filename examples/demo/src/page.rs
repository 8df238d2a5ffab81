//! Answers of the site itself, and the headers that each of them carries.

use std::sync::OnceLock;

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use secure_download::Body;

use crate::{base, refusal};

/// A page, a redirection, a style sheet: anything but a download. Of the same type as a download, so that an
/// application sends both the same way.
pub type Page = Response<Body>;

/// Where pictures may come from beside the site itself; set once, when the site opens.
static PICTURES: OnceLock<String> = OnceLock::new();

/// Lets pages load pictures from a store to which downloads are redirected.
pub(crate) fn allow_pictures_from(origin: &str) {
    // A second site in the same program keeps the first one's policy.
    let _ = PICTURES.set(format!(" {origin}"));
}

/// Everything a page needs comes from the site itself, and nobody may frame it.
pub(crate) fn page_policy() -> HeaderValue {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let policy = || {
        let pictures = PICTURES.get().map_or("", String::as_str);
        let text = format!(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'{pictures}; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    };
    POLICY.get_or_init(policy).clone()
}

const COMMON: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Not `no-referrer`: browsers would then send `Origin: null` with this site's own forms.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// An answer with the common headers.
pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<bytes::Bytes>) -> Page {
    let body = body.into();
    let length = HeaderValue::from(body.len());
    let mut page = Response::new(Body::full(body));
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.extend(COMMON);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, length);
    page
}

/// A page in HTML.
pub(crate) fn html(status: StatusCode, markup: String) -> Page {
    let mut page = answer(status, "text/html; charset=utf-8", markup);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, page_policy());
    page
}

/// Sends the browser on to another page of this site: a path as the program sees it, below that of `--public-url`.
#[must_use]
pub fn redirect(to: &str) -> Page {
    let Ok(to) = HeaderValue::try_from(format!("{}{to}", base())) else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "");
    };
    let mut page = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    page.headers_mut().insert(LOCATION, to);
    page
}
