//! [`redact`]: texts without what opens a file.

use std::borrow::Cow;

use crate::RedactionKey;

/// From how many characters on a word may be a token. A UUID has 36, an HMAC-SHA256 in hexadecimal 64; tokens of links have
/// more.
const LONGEST: usize = 64;

const LEFT_OUT: &str = "[…]";

/// What may be told of an id that a client sent: all of it, unless it has 64 bytes or more and may be a token. In place of
/// such an id stand its length and a hash, under a key of this process: the same id is told in the same words, another id in
/// other words. [`RedactionKey`] is for a key of your own.
///
/// ```
/// use secure_download_observe::redact_id;
///
/// assert_eq!(redact_id("7"), "7");
/// let (one, two) = (format!("{:0>64}", 7), format!("{:0>64}", 8));
/// assert!(redact_id(&one).starts_with("[…64 bytes, "));
/// assert_eq!(redact_id(&one), redact_id(&one));
/// assert_ne!(redact_id(&one), redact_id(&two));
/// ```
#[must_use]
pub fn redact_id(id: &str) -> Cow<'_, str> {
    RedactionKey::default().id(id)
}

impl RedactionKey {
    /// As [`redact_id`], under this key.
    #[must_use]
    pub fn id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        if id.len() >= LONGEST { self.mark(id).into() } else { id.into() }
    }
}

/// What may be told of a text that came from storage or from the application: everything but
///
/// - what stands behind `?` or `#` in a word, up to white space: queries of URLs hold signatures;
/// - what stands between `//` and `@`: names and passwords;
/// - words of more than 63 characters, which may be tokens; the folders of a path count one by one, unless the whole could be
///   base64, which has `/` too. Their length and a hash stand in their place, as in [`redact_id`].
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
    RedactionKey::default().text(text)
}

impl RedactionKey {
    /// As [`redact`], under this key.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        redact_with(text, &|token| self.mark(token))
    }
}

fn redact_with<'a>(text: &'a str, mark: &dyn Fn(&str) -> String) -> Cow<'a, str> {
    let mut out = String::new();
    let mut kept = 0;
    for (start, word) in words(text) {
        let mut leave_out = |from: usize, to: usize, told: &str| {
            // What overlaps is left out once.
            let (from, to) = (start + from, start + to);
            if from >= kept {
                out.push_str(&text[kept..from]);
                out.push_str(told);
            }
            kept = kept.max(to);
        };
        let (path, query) = word.split_at(word.find(query_starts).unwrap_or(word.len()));
        if let Some((from, to)) = user_info(path) {
            leave_out(from, to, LEFT_OUT);
        }
        let mut begin = 0;
        for token in path.split(is_delimiter) {
            if may_be_token(token) {
                leave_out(begin, begin + token.len(), &mark(token));
            }
            begin += token.len() + path[begin + token.len()..].chars().next().map_or(0, char::len_utf8);
        }
        // A question mark at the end of a sentence hides nothing.
        if query.trim_end_matches(is_delimiter).len() > 1 {
            leave_out(path.len() + 1, word.len(), LEFT_OUT);
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
            assert_eq!(redact_with(text, &|_| LEFT_OUT.to_owned()), told);
        }
    }

    #[test]
    fn what_is_as_long_as_a_token_is_told_apart_by_a_hash() {
        let key = RedactionKey::new("a key for comparing logs, 32 bytes and more").expect("long enough");
        let padded = |id: u32| format!("{id:0>64}");
        // HMAC-SHA-256, cut to 64 bits: `openssl mac -digest SHA256 -macopt key:... HMAC`.
        assert_eq!(key.id(&padded(7)), "[…64 bytes, 5ed1335dcd7cf1a8]");
        let odd = ["\u{200b}", "%30", "\u{1}", "ä", "\n"].map(|unit| unit.repeat(64));
        let others = [padded(8), format!("0{}", padded(7)), padded(7).replacen('0', " ", 1)];
        let ids: Vec<String> = odd.into_iter().chain(others).chain([padded(7)]).collect();
        for (index, id) in ids.iter().enumerate() {
            let told = key.id(id);
            assert!(told.starts_with(&format!("[…{} bytes, ", id.len())) && !told.contains(id.as_str()));
            assert_eq!(told, key.clone().id(id), "recognised");
            assert_eq!(redact_id(id), redact_id(id), "recognised");
            assert_ne!(told, redact_id(id), "each process has a key of its own");
            for other in &ids[..index] {
                assert_ne!((&told, &redact_id(id)), (&key.id(other), &redact_id(other)), "told apart");
            }
        }
        let (one, two) = (padded(7), padded(8));
        let told = key.text(&one).into_owned();
        assert_eq!(told, key.id(&one), "the same mark in ids and in reasons");
        assert_eq!(
            key.text(&format!("no row \"{one}\" or <{two}>")),
            format!("no row \"{told}\" or <{}>", key.id(&two))
        );
        assert_eq!(
            (key.id("7"), key.id(&"y".repeat(63)), key.id("")),
            ("7".into(), "y".repeat(63).into(), "".into())
        );
        assert_eq!(format!("{key:?}"), "RedactionKey(..)");
        assert!(RedactionKey::new([7; 31]).is_err() && RedactionKey::new([0; 32]).is_err());
    }
}
