//! [`redact`]: texts without what opens a file.

use std::borrow::Cow;

/// The longest word that is told. A UUID has 36 characters, a SHA-256 in hexadecimal 64; tokens of links and signatures
/// of URLs have more, with their claims before them.
const LONGEST: usize = 64;

const LEFT_OUT: &str = "[…]";

/// What may be told of an id that a client sent: all of it, unless it is as long as a token.
#[must_use]
pub fn redact_id(id: &str) -> &str {
    if id.len() > LONGEST { LEFT_OUT } else { id }
}

/// What may be told of a text that came from storage or from the application: everything but the queries of URLs, which
/// hold signatures, and words of more than 64 characters, which may be tokens.
///
/// ```
/// use secure_download_observe::redact;
///
/// let error = "GET https://store.example/scans/1?X-Amz-Signature=0123 timed out";
/// assert_eq!(redact(error), "GET https://store.example/scans/1?[…] timed out");
/// ```
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept = 0;
    for (start, word) in words(text) {
        let hidden = match word.find('?') {
            // Relative URLs have queries too; a question mark at the end of a sentence hides nothing.
            Some(at) if at + 1 < word.len() => Some(at + 1),
            _ => word.split('/').any(|segment| segment.len() > LONGEST).then_some(0),
        };
        if let Some(from) = hidden {
            out.push_str(&text[kept..start + from]);
            out.push_str(LEFT_OUT);
            kept = start + word.len();
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// Runs of what URLs and tokens are made of, each with its position.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '<' | '>' | '(' | ')' | '`');
    let mut at = 0;
    text.split_inclusive(ends).map(move |piece| {
        let start = at;
        at += piece.len();
        (start, piece.trim_end_matches(ends))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_file_is_left_out() {
        let token = "x".repeat(65);
        let id = "y".repeat(64);
        for (text, told) in [
            ("", ""),
            ("no such row", "no such row"),
            ("why? because", "why? because"),
            ("see https://a.example/b?c=d.", "see https://a.example/b?[…]"),
            ("two: \"/a?b\", </c?d>", "two: \"/a?[…]\", </c?[…]>"),
            (&format!("é {token} é"), "é […] é"),
            (&format!("/blobs/{token} is gone"), "[…] is gone"),
            (&id, &id),
            ("url (http://127.0.0.1:1/b/k?sig=s)", "url (http://127.0.0.1:1/b/k?[…])"),
        ] {
            assert_eq!(redact(text), told);
        }
        assert_eq!((redact_id(&token), redact_id(&id), redact_id("")), (LEFT_OUT, id.as_str(), ""));
    }
}
