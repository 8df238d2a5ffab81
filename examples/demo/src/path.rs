//! Segments of paths.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The second segment of a path, decoded: all addresses with a parameter have it there. What is not UTF-8 becomes the empty
/// text, which names nothing. A name behind it, as in `/files/{id}/{name}`, is for clients that save under the last segment,
/// and may be any bytes.
///
/// ```
/// assert_eq!(demo::parameter("/files/a%20b/caf%E9.txt"), "a b");
/// assert_eq!(demo::parameter("/files/%ff"), "");
/// ```
#[must_use]
pub fn parameter(path: &str) -> String {
    let segment = path.split('/').nth(2).unwrap_or_default();
    percent_decode_str(segment).decode_utf8().unwrap_or_default().into_owned()
}

/// `/` and a file's name, or nothing where clients would take the name for a folder.
pub(crate) fn segment(name: &str) -> String {
    match name {
        "" | "." | ".." => String::new(),
        name => format!("/{}", utf8_percent_encode(name, RESERVED)),
    }
}
