//! Strings in JSON, RFC 8259 section 7, in ASCII.

use std::fmt::Write as _;

/// Appends `text` with its quotes. What is not printable ASCII is escaped, so that any transport carries it.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_but_printable_ascii_is_escaped() {
        let mut out = String::new();
        super::push_string(&mut out, "a\"b\\c\n\u{7f}ä\u{1f642}/");
        assert_eq!(out, r#""a\"b\\c\u000a\u007f\u00e4\ud83d\ude42/""#);
    }
}
