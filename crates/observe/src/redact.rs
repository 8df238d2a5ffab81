//! [`redact`]: texts without what opens a file.

use std::borrow::Cow;

/// From how many characters on a word may be a token. A UUID has 36, an HMAC-SHA256 in hexadecimal 64; tokens of links have
/// more.
const LONGEST: usize = 64;

const LEFT_OUT: &str = "[…]";

/// What may be told of an id that a client sent: all of it, unless it is as long as a token.
#[must_use]
pub fn redact_id(id: &str) -> &str {
    if id.len() >= LONGEST { LEFT_OUT } else { id }
}

/// What may be told of a text that came from storage or from the application: everything but
///
/// - what stands behind `?` or `#` in a word, up to white space: queries of URLs hold signatures;
/// - what stands between `//` and `@`: names and passwords;
/// - words of more than 63 characters, which may be tokens; the folders of a path count one by one, unless the whole could be
///   base64, which has `/` too.
///
/// ```
/// use secure_download_observe::redact;
///
/// let error = "GET https://store.example/scans/1?X-Amz-Signature=0123 timed out";
/// assert_eq!(redact(error), "GET https://store.example/scans/1?[…] timed out");
/// let error = "redis://default:secret@10.0.0.3/0 refused";
/// assert_eq!(redact(error), "redis://[…]@10.0.0.3/0 refused");
/// ```
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept = 0;
    for (start, word) in words(text) {
        let mut leave_out = |from: usize, to: usize| {
            // What overlaps is left out once.
            let (from, to) = (start + from, start + to);
            if from >= kept {
                out.push_str(&text[kept..from]);
                out.push_str(LEFT_OUT);
            }
            kept = kept.max(to);
        };
        let (path, query) = word.split_at(word.find(query_starts).unwrap_or(word.len()));
        if let Some((from, to)) = user_info(path) {
            leave_out(from, to);
        }
        let mut begin = 0;
        for token in path.split(is_delimiter) {
            if may_be_token(token) {
                leave_out(begin, begin + token.len());
            }
            begin += token.len() + path[begin + token.len()..].chars().next().map_or(0, char::len_utf8);
        }
        // A question mark at the end of a sentence hides nothing.
        if query.trim_end_matches(is_delimiter).len() > 1 {
            leave_out(path.len() + 1, word.len());
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// Runs without white space, each with its position.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive(char::is_whitespace).map(move |piece| {
        let start = at;
        at += piece.len();
        (start, piece.trim_end_matches(char::is_whitespace))
    })
}

fn query_starts(c: char) -> bool {
    matches!(c, '?' | '#')
}

/// What stands around a URL or a token in a sentence, and in no token.
fn is_delimiter(c: char) -> bool {
    !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '<' | '>' | '(' | ')' | '`' | ',' | ';')
}

/// Where the name and the password stand in a URL (RFC 3986 section 3.2.1).
fn user_info(word: &str) -> Option<(usize, usize)> {
    let begin = word.find("//")? + 2;
    let authority = word[begin..].split('/').next().unwrap_or_default();
    authority.rfind('@').map(|at| (begin, begin + at))
}

fn may_be_token(word: &str) -> bool {
    let base64 = || {
        let any = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
            && any(u8::is_ascii_uppercase)
            && any(u8::is_ascii_lowercase)
            && any(u8::is_ascii_digit)
    };
    word.len() >= LONGEST && (word.split('/').any(|part| part.len() >= LONGEST) || base64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_file_is_left_out() {
        let token = "x".repeat(64);
        let id = "y".repeat(63);
        let base64 = format!("{0}/{0}", "aB3+".repeat(9));
        let path = format!("{0}/{0}", "folder-of-many-words".repeat(3));
        for (text, told) in [
            ("", ""),
            ("no such row", "no such row"),
            ("why? because", "why? because"),
            ("(why?) because", "(why?) because"),
            ("see https://a.example/b?c=d.", "see https://a.example/b?[…]"),
            ("https://s/a?name=ä&sig=5ec4e7 gone", "https://s/a?[…] gone"),
            ("https://s/a?n='b'&sig=(5ec4e7) gone", "https://s/a?[…] gone"),
            ("https://s/a#access_token=5ec4e7 gone", "https://s/a#[…] gone"),
            ("two: \"/a?b\", </c?d>", "two: \"/a?[…] </c?[…]"),
            ("redis://default:s3cr3t@10.0.0.3/0", "redis://[…]@10.0.0.3/0"),
            ("postgres://app:p@ss@db?a=b down", "postgres://[…]@db?[…] down"),
            ("alice@example.org // a@b", "alice@example.org // a@b"),
            (&format!("é {token} é"), "é […] é"),
            (
                &format!("<SignatureProvided>{token}</SignatureProvided>"),
                "<SignatureProvided>[…]</SignatureProvided>",
            ),
            (&format!("X-Amz-Signature: {token}"), "X-Amz-Signature: […]"),
            (&format!("/blobs/{token} is gone"), "[…] is gone"),
            (&format!("key {base64} is weak"), "key […] is weak"),
            (&format!("https://{token}@s/b?c=d"), "https://[…]?[…]"),
            (&path, &path),
            (&id, &id),
        ] {
            assert_eq!(redact(text), told);
        }
        assert_eq!((redact_id(&token), redact_id(&id), redact_id("")), (LEFT_OUT, id.as_str(), ""));
    }
}
