//! `Content-Disposition`, RFC 6266 with the extended notation of RFC 8187.

use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::filename::{NAMELESS, extension_start, is_safe_ascii, safe_filename};
use crate::invisible::is_invisible;

/// What the client shall do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disposition {
    /// Save it.
    #[default]
    Attachment,
    /// Show it.
    Inline,
}

/// Everything but RFC 8187's attr-char.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Renders the header for a name of any origin.
///
/// The name is made safe with [`safe_filename`]. A name of plain ASCII without `"`, `\`, `%` and what Windows forbids
/// (`:*?<>|`) is sent as `filename="..."` alone. Every other name is sent twice:
///
/// - as an ASCII fallback for clients that read nothing else, such as `curl -OJ`. A letter with a mark becomes the letter,
///   and a run of characters that clients read differently becomes one `_`. A name with nothing left is `download`, with its
///   extension. No `?` is left, so no client takes it for an encoded word of RFC 2047;
/// - exactly, as `filename*=UTF-8''...`, which RFC 6266 section 4.3 tells clients to prefer.
///
/// ```
/// use secure_download_core::{Disposition, content_disposition};
///
/// assert_eq!(content_disposition(Disposition::Attachment, "scan.png"), "attachment; filename=\"scan.png\"");
/// assert_eq!(
///     content_disposition(Disposition::Inline, "ä.pdf"),
///     "inline; filename=\"a.pdf\"; filename*=UTF-8''%C3%A4.pdf",
/// );
/// ```
#[must_use]
pub fn content_disposition(disposition: Disposition, filename: &str) -> HeaderValue {
    let kind = match disposition {
        Disposition::Attachment => "attachment",
        Disposition::Inline => "inline",
    };
    if filename.chars().all(is_plain) && is_safe_ascii(filename) {
        return quoted(kind, filename);
    }
    let name = safe_filename(filename);
    if name.chars().all(is_plain) {
        return quoted(kind, &name);
    }
    let mut value = String::with_capacity(64 + 4 * name.len());
    let _ = write!(value, "{kind}; filename=\"{}\"; filename*=UTF-8''", fallback(&name));
    value.extend(utf8_percent_encode(&name, NOT_ATTR_CHAR));
    debug_assert_eq!(utf8_percent_encode(&value, CONTROLS).count(), 1, "only printable ASCII is written");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// Characters that every client reads alike between quotes, and may save under.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%' | ':' | '*' | '?' | '<' | '>' | '|')
}

/// `kind; filename="name"` in one buffer of exactly its length, which becomes a header value without a copy.
fn quoted(kind: &str, name: &str) -> HeaderValue {
    let parts = [kind, "; filename=\"", name, "\""];
    let mut value = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        value.extend_from_slice(part.as_bytes());
    }
    HeaderValue::from_maybe_shared(Bytes::from(value)).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A safe name in plain ASCII that says as much as it can of a safe name.
fn fallback(name: &str) -> String {
    let mut ascii = String::with_capacity(name.len());
    let mut stands_in = false;
    for c in name.nfd().filter(|&c| !is_combining_mark(c) && !is_invisible(c)) {
        let plain = in_ascii(c);
        if !plain.is_empty() {
            ascii.push_str(plain);
        } else if is_plain(c) {
            ascii.push(c);
        } else if c.is_whitespace() {
            ascii.push(' ');
        } else if !stands_in {
            ascii.push('_');
        }
        stands_in = plain.is_empty() && !is_plain(c) && !c.is_whitespace();
    }
    let says_something = |text: &str| text.contains(|c: char| c.is_ascii_alphanumeric());
    let (stem, extension) = ascii.split_at(extension_start(&ascii));
    let extension = if says_something(extension) { extension } else { "" };
    let stem = if says_something(stem) { stem } else { NAMELESS };
    // Without its marks, a name may be that of a device or of a start-up file.
    safe_filename(&format!("{stem}{extension}"))
}

/// Letters and punctuation that are not a letter with a mark, as they are written in ASCII; empty for all others.
fn in_ascii(c: char) -> &'static str {
    match c {
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' => "th",
        'Þ' => "TH",
        'ı' => "i",
        '\u{2010}'..='\u{2015}' => "-",
        '\u{2018}' | '\u{2019}' => "'",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_ascii_and_exact() {
        for (name, header) in [
            ("a.png", "attachment; filename=\"a.png\""),
            ("a;b,c.png", "attachment; filename=\"a;b,c.png\""),
            (".gitignore", "attachment; filename=\".gitignore\""),
            ("a    b.png", "attachment; filename=\"a b.png\""),
            ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
            (
                "ä \"b\"; c%20.pdf",
                "attachment; filename=\"a _b_; c_20.pdf\"; filename*=UTF-8''%C3%A4%20%22b%22%3B%20c%2520.pdf",
            ),
            (
                "it's (1)*.txt",
                "attachment; filename=\"it's (1)_.txt\"; filename*=UTF-8''it%27s%20%281%29%2A.txt",
            ),
            ("é's (1)", "attachment; filename=\"e's (1)\"; filename*=UTF-8''%C3%A9%27s%20%281%29"),
            ("12:30.txt", "attachment; filename=\"12_30.txt\"; filename*=UTF-8''12%3A30.txt"),
            (
                "=?utf-8?q?x?=.txt",
                "attachment; filename=\"=_utf-8_q_x_=.txt\"; filename*=UTF-8''%3D%3Futf-8%3Fq%3Fx%3F%3D.txt",
            ),
            ("Mu\u{308}ller.pdf", "attachment; filename=\"Muller.pdf\"; filename*=UTF-8''M%C3%BCller.pdf"),
        ] {
            assert_eq!(content_disposition(Disposition::Attachment, name), header);
        }
    }

    #[test]
    fn the_fallback_says_what_it_can() {
        for (name, expected) in [
            ("ä.pdf", "a.pdf"),
            ("Größe – Zoë’s.pdf", "Grosse - Zoe's.pdf"),
            ("Łódź.odt", "Lodz.odt"),
            ("Tiếng Việt.docx", "Tieng Viet.docx"),
            ("报告 最终版.xlsx", "download.xlsx"),
            ("报告 2024 最终版.xlsx", "_ 2024 _.xlsx"),
            ("报告.tar.gz", "download.tar.gz"),
            ("報告\u{3000}v2.pdf", "_ v2.pdf"),
            ("отчёт.отчёт", "download"),
            ("한글.hwp", "download.hwp"),
            ("👩\u{200d}🔬.txt", "download.txt"),
            ("ABC 报告 v2", "ABC _ v2"),
            ("???", "download"),
            // Safe without its marks, too.
            ("çon.txt", "_con.txt"),
            (".bàshrc", "bashrc"),
            (".gïtignore", ".gitignore"),
        ] {
            let safe = safe_filename(name);
            assert_eq!(fallback(&safe), expected, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_gets_out_of_its_quotes(name in "\\PC{0,40}|.{0,40}|[\\x00-\\x7f]{0,300}|[.\\u{300}\\u{308}\\u{338}\\u{34f}\\u{200d}\\u{fe0f}\\u{1100}\\u{1161}\\u{1160}\\u{3000} aeüم👩_/]{0,24}") {
            let header = content_disposition(Disposition::Attachment, &name);
            let text = header.to_str().expect("visible ASCII");
            let rest = text.strip_prefix("attachment; filename=\"").expect("the quoted form comes first");
            let (quoted, rest) = rest.split_once('"').expect("the quotes are closed");
            let safe = safe_filename(&name);
            proptest::prop_assert!(!quoted.is_empty() && !quoted.contains(['\\', '/', '%', ':', '*', '?', '<', '>', '|']));
            if let Some(extended) = rest.strip_prefix("; filename*=UTF-8''") {
                let decoded = percent_encoding::percent_decode_str(extended).decode_utf8().expect("UTF-8");
                proptest::prop_assert_eq!(&*decoded, safe.as_str());
                proptest::prop_assert_eq!(safe_filename(quoted), quoted, "the fallback is safe, too");
            } else {
                proptest::prop_assert_eq!((quoted, rest), (safe.as_str(), ""));
            }
            // Safe means safe: a second pass finds nothing to do.
            proptest::prop_assert_eq!(safe_filename(&safe), safe);
        }

        #[test]
        fn a_safe_ascii_name_is_left_alone(name in "[ -~]{0,30}|\\.[a-z]{0,8}") {
            proptest::prop_assert_eq!(is_safe_ascii(&name), safe_filename(&name) == name);
        }
    }
}
