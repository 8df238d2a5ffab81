//! What an answer must not tell whoever may not have a file.

use bytes::Bytes;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED, LOCATION, SET_COOKIE,
};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::law::{Verdict, ensure, storable_by_shared_caches};

/// Fields that differ between any two answers.
const CHANGING: [&str; 3] = ["date", "x-request-id", "traceparent"];

/// How the fields begin that make a proxy send a file.
const FOR_PROXIES: [&str; 5] = ["x-accel-", "x-sendfile", "x-lighttpd-send-", "x-store-", "x-reproxy-"];

/// The fewest bytes of a file that are told apart from anything else.
const TELLING: usize = 8;

fn shows_in(content: &[u8], bytes: &[u8]) -> bool {
    let Some(telling) = content.len().checked_sub(TELLING) else {
        return !content.is_empty() && contains(bytes, content);
    };
    // Any piece that long holds one that starts at a multiple of half of it, or is caught by its first bytes.
    (0..=telling).step_by(TELLING / 2).any(|at| contains(bytes, &content[at..at + TELLING]))
}

fn contains(bytes: &[u8], piece: &[u8]) -> bool {
    bytes.windows(piece.len()).any(|window| window == piece)
}

/// Nothing of the file, and nothing that says there is one.
pub(super) fn nothing_in(content: &[u8], answer: &Response<Bytes>) -> Verdict {
    let status = answer.status();
    ensure!(!shows_in(content, answer.body()), "{status} holds bytes of the file");
    let refused = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
    );
    let to_sign_in = status.is_redirection()
        && status != StatusCode::NOT_MODIFIED
        && answer.headers().get(LOCATION).is_some_and(|value| is_of_this_site(value.as_bytes()));
    // A page of the application's own, such as a CORS answer to OPTIONS, has no body.
    let bare =
        status.is_success() && answer.body().is_empty() && !answer.headers().contains_key(CONTENT_LENGTH);
    ensure!(refused || to_sign_in || bare, "answered {status}");
    for name in answer.headers().keys() {
        let for_proxies = FOR_PROXIES.iter().any(|start| name.as_str().starts_with(start));
        ensure!(!for_proxies, "{status} carries {name}");
    }
    for name in [CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, LAST_MODIFIED] {
        ensure!(!answer.headers().contains_key(&name), "{status} carries {name}");
    }
    ensure!(bare || !storable_by_shared_caches(answer.headers()), "{status} may be kept by a shared cache");
    Ok(())
}

/// A path. Browsers read a backslash as a slash, and skip tabs and line breaks, so that these begin another host.
fn is_of_this_site(location: &[u8]) -> bool {
    let second = location.get(1).copied().unwrap_or_default();
    location.starts_with(b"/") && !matches!(second, b'/' | b'\\' | b'\t' | b'\r' | b'\n')
}

/// Status, sorted fields, body: all that tells one answer from another.
type Compared = (StatusCode, Vec<(String, String)>, Bytes);

/// What is compared of the answer for `uri`.
pub(super) fn compared(answer: &Response<Bytes>, uri: &str) -> Compared {
    let mut fields: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !CHANGING.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let value = match *name {
                LOCATION => without_uri(&value, uri),
                // The value is the session's own; that there is such a cookie is not.
                SET_COOKIE => value.split('=').next().unwrap_or_default().to_owned(),
                _ => value,
            };
            (name.as_str().to_owned(), value)
        })
        .collect();
    fields.sort();
    (answer.status(), fields, answer.body().clone())
}

/// A parameter that leads back after signing in, as applications escape it.
fn without_uri(location: &str, uri: &str) -> String {
    const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    const OF_A_PATH: AsciiSet = UNRESERVED.remove(b'/');
    let escaped = utf8_percent_encode(uri, &UNRESERVED).to_string();
    let with_slashes = utf8_percent_encode(uri, &OF_A_PATH).to_string();
    [escaped.to_ascii_lowercase(), escaped, with_slashes, uri.to_owned()]
        .iter()
        .fold(location.to_owned(), |location, form| location.replace(form.as_str(), "{uri}"))
}
