//! The one escaping rule that every proxy undoes exactly once.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters and the separating `/`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Appends `path`, each byte outside `A-Za-z0-9-._~/` as `%` and two upper-case hexadecimal digits.
pub(crate) fn push_escaped(target: &mut String, path: &str) {
    target.extend(utf8_percent_encode(path, ESCAPED));
}

/// `path` escaped.
#[cfg(feature = "doctor")]
pub(crate) fn escaped(path: &str) -> String {
    let mut text = String::new();
    push_escaped(&mut text, path);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_unreserved_and_slash_is_escaped_once() {
        for (path, escaped) in [
            ("a/b-c.d_e~f", "a/b-c.d_e~f"),
            ("a b", "a%20b"),
            ("a%20b", "a%2520b"),
            ("?#&+", "%3F%23%26%2B"),
            ("é漢", "%C3%A9%E6%BC%A2"),
            ("{env.HOME}", "%7Benv.HOME%7D"),
            ("\"'\\\r\n", "%22%27%5C%0D%0A"),
        ] {
            let mut text = String::new();
            push_escaped(&mut text, path);
            assert_eq!(text, escaped);
        }
    }
}
