//! Answers of the doctor's own, which an examination recognises.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderName, Response, StatusCode};
use secure_download_core::Body;

/// First line of every text that the application's side of the doctor answers with. A text without it came from a rate
/// limiter, a login page or a proxy.
pub const DOCTOR_MARK: &str = "secure-download doctor\n";

/// Makes an answer's headers as long as a long name, a long policy or a long redirect do.
const PADDING: HeaderName = HeaderName::from_static("x-secure-download-padding");

/// Longer than a buffer of 4 KiB, and shorter than the 8,190 bytes that Apache takes as one header.
const LONG: &str = match std::str::from_utf8(&[b'x'; 5000]) {
    Ok(text) => text,
    Err(_) => "",
};

/// An answer that no strategy would make: for a target outside, or under another status than 200.
pub(super) fn raw(
    status: StatusCode,
    hand_off: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, mut value) in hand_off {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    response
}

pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A text behind [`DOCTOR_MARK`].
pub(super) fn marked(rest: &str) -> Response<Body> {
    text(StatusCode::OK, format!("{DOCTOR_MARK}{rest}"))
}

/// The same answer with headers of more than 4 KiB.
pub(super) fn padded(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(PADDING, HeaderValue::from_static(LONG));
    response
}
