//! `Content-Disposition`, RFC 6266 with the extended notation of RFC 8187.

use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What the client shall do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disposition {
    /// Save it.
    #[default]
    Attachment,
    /// Show it.
    Inline,
}

/// The name of a file whose own name is missing or has nothing left.
const NAMELESS: &str = "download";

/// The longest name in bytes: file systems stop at 255, and browsers append ` (1)` or `.crdownload`.
const MAX_LEN: usize = 240;

/// The longest extension that is kept when a name is cut, dot included.
const MAX_EXTENSION: usize = 24;

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
/// The name is made safe with [`safe_filename`]. A name of plain ASCII without `"`, `\` and `%` is sent as
/// `filename="..."` alone. Every other name is sent twice: as an ASCII fallback in which `_` stands for each
/// character that clients read differently, and exactly, as `filename*=UTF-8''...`, which RFC 6266 section 4.3
/// tells clients to prefer.
///
/// ```
/// use secure_download_core::{Disposition, content_disposition};
///
/// assert_eq!(content_disposition(Disposition::Attachment, "scan.png"), "attachment; filename=\"scan.png\"");
/// assert_eq!(
///     content_disposition(Disposition::Inline, "ä.pdf"),
///     "inline; filename=\"_.pdf\"; filename*=UTF-8''%C3%A4.pdf",
/// );
/// ```
#[must_use]
pub fn content_disposition(disposition: Disposition, filename: &str) -> HeaderValue {
    let kind = match disposition {
        Disposition::Attachment => "attachment",
        Disposition::Inline => "inline",
    };
    if is_plain_and_safe(filename) {
        return quoted(kind, filename);
    }
    let name = safe_filename(filename);
    if name.chars().all(is_plain) {
        return quoted(kind, &name);
    }
    let mut value = String::with_capacity(64 + 4 * name.len());
    let _ = write!(value, "{kind}; filename=\"");
    value.extend(name.chars().map(|c| if is_plain(c) { c } else { '_' }));
    value.push('"');
    value.push_str("; filename*=UTF-8''");
    value.extend(utf8_percent_encode(&name, NOT_ATTR_CHAR));
    debug_assert_eq!(utf8_percent_encode(&value, CONTROLS).count(), 1, "only printable ASCII is written");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// What every client reads alike between quotes.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%')
}

/// Whether [`safe_filename`] would leave the name as it is, and it can be sent alone: true of most names.
fn is_plain_and_safe(name: &str) -> bool {
    (1..=MAX_LEN).contains(&name.len())
        && name.chars().all(|c| is_plain(c) && c != '/')
        && trim(name).len() == name.len()
        && !is_device_name(name)
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

/// Makes a file name of any origin safe to save under.
///
/// - `/` and `\` become `_`, so do control characters and line separators,
/// - characters that reorder or hide text (bidirectional controls, zero-width and tag characters) are removed,
/// - leading and trailing dots and white space are removed,
/// - a Windows device name (`CON`, `nul.txt`, `LPT1`) gets a leading `_`,
/// - more than 240 bytes are cut in front of the extension,
/// - what is then empty is named `download`.
///
/// ```
/// use secure_download_core::safe_filename;
///
/// assert_eq!(safe_filename("../../etc/passwd"), "_.._etc_passwd");
/// assert_eq!(safe_filename("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
/// assert_eq!(safe_filename("aux.h"), "_aux.h");
/// ```
#[must_use]
pub fn safe_filename(name: &str) -> String {
    let visible: String = name
        .chars()
        .filter(|&c| !hides_or_reorders(c))
        .map(|c| if matches!(c, '/' | '\\') || breaks_line(c) { '_' } else { c })
        .collect();
    let trimmed = trim(&visible);
    let mut safe = String::with_capacity(trimmed.len() + 1);
    if is_device_name(trimmed) {
        safe.push('_');
    }
    safe.push_str(trimmed);
    if safe.len() > MAX_LEN {
        safe = shorten(&safe);
    }
    if safe.is_empty() { NAMELESS.to_owned() } else { safe }
}

fn trim(name: &str) -> &str {
    name.trim_matches(|c: char| c == '.' || c.is_whitespace())
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Bidirectional controls, zero-width and otherwise invisible formatting characters. The zero-width joiner stays:
/// emoji and several scripts need it.
fn hides_or_reorders(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Names that Windows gives to devices, with any extension
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is = |device: &str| stem.eq_ignore_ascii_case(device);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].into_iter().any(is) {
        return true;
    }
    let Some((kind, number)) = stem.split_at_checked(3) else { return false };
    let mut digits = number.chars();
    (kind.eq_ignore_ascii_case("COM") || kind.eq_ignore_ascii_case("LPT"))
        && matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³'))
        && digits.next().is_none()
}

/// Cuts the middle out of a name that is too long: its start and its extension stay.
fn shorten(name: &str) -> String {
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    let extension = if extension.len() <= MAX_EXTENSION { extension } else { "" };
    let mut end = MAX_LEN - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let stem = name[..end].trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    format!("{stem}{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        for (name, safe) in [
            ("a.png", "a.png"),
            ("a b.png", "a b.png"),
            ("ä \"b\"; c%20.pdf", "ä \"b\"; c%20.pdf"),
            ("", "download"),
            ("...", "download"),
            (" . ", "download"),
            (".htaccess", "htaccess"),
            ("trailing. .", "trailing"),
            ("a/b\\c", "a_b_c"),
            ("a\r\nSet-Cookie: x", "a__Set-Cookie: x"),
            ("a\0b\x1b[31m\x7f\u{85}", "a_b_[31m__"),
            ("a\u{2028}b", "a_b"),
            ("cod\u{202e}gnp.exe", "codgnp.exe"),
            ("\u{feff}a\u{200b}b", "ab"),
            ("👩\u{200d}🔬.txt", "👩\u{200d}🔬.txt"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("nul .txt", "_nul .txt"),
            ("com1.log", "_com1.log"),
            ("COM¹", "_COM¹"),
            ("com10.log", "com10.log"),
            ("console", "console"),
            ("..con", "_con"),
        ] {
            assert_eq!(safe_filename(name), safe, "{name:?}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let long = safe_filename(&format!("{}.tar.gz", "ä".repeat(400)));
        assert!(long.len() <= MAX_LEN && long.ends_with("ä.gz"), "{long}");
        let no_extension = safe_filename(&"x".repeat(400));
        assert_eq!(no_extension.len(), MAX_LEN);
        let all_extension = safe_filename(&format!("a.{}", "x".repeat(400)));
        assert_eq!(all_extension.len(), MAX_LEN);
    }

    #[test]
    fn the_header_is_ascii_and_exact() {
        for (name, header) in [
            ("a.png", "attachment; filename=\"a.png\""),
            ("a;b,c.png", "attachment; filename=\"a;b,c.png\""),
            ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
            (
                "ä \"b\"; c%20.pdf",
                "attachment; filename=\"_ _b_; c_20.pdf\"; filename*=UTF-8''%C3%A4%20%22b%22%3B%20c%2520.pdf",
            ),
            ("it's (1)*.txt", "attachment; filename=\"it's (1)*.txt\""),
            ("é's (1)*", "attachment; filename=\"_'s (1)*\"; filename*=UTF-8''%C3%A9%27s%20%281%29%2A"),
        ] {
            assert_eq!(content_disposition(Disposition::Attachment, name), header);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_gets_out_of_its_quotes(name in "\\PC{0,40}|.{0,40}|[\\x00-\\x7f]{0,300}") {
            let header = content_disposition(Disposition::Attachment, &name);
            let text = header.to_str().expect("visible ASCII");
            let rest = text.strip_prefix("attachment; filename=\"").expect("the quoted form comes first");
            let (quoted, rest) = rest.split_once('"').expect("the quotes are closed");
            let safe = safe_filename(&name);
            proptest::prop_assert!(!quoted.is_empty() && !quoted.contains(['\\', '/', '%']));
            if let Some(extended) = rest.strip_prefix("; filename*=UTF-8''") {
                let decoded = percent_encoding::percent_decode_str(extended).decode_utf8().expect("UTF-8");
                proptest::prop_assert_eq!(&*decoded, safe.as_str());
            } else {
                proptest::prop_assert_eq!((quoted, rest), (safe.as_str(), ""));
            }
            // Safe means safe: a second pass finds nothing to do.
            proptest::prop_assert_eq!(safe_filename(&safe), safe);
        }
    }
}
