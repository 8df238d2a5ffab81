//! File names of any text, read back from the header by a parser of RFC 6266 and RFC 8187 that knows nothing of the writer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secure_download_core::{Disposition, content_disposition, safe_filename};

/// Type, `filename`, and `filename*` decoded.
fn parse(header: &str) -> (String, Option<String>, Option<String>) {
    let (kind, mut rest) = header.split_once(';').map_or((header, ""), |(kind, rest)| (kind, rest));
    let (mut plain, mut extended) = (None, None);
    while !rest.is_empty() {
        rest = rest.trim_start_matches(' ');
        let (name, value) = rest.split_once('=').expect("a parameter");
        if let Some(quoted) = value.strip_prefix('"') {
            let mut text = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next().expect("an end of the quotes") {
                    (at, '"') => break at,
                    (_, '\\') => text.push(chars.next().expect("something escaped").1),
                    (_, c) => text.push(c),
                }
            };
            assert_eq!(name, "filename");
            assert!(plain.replace(text).is_none(), "twice");
            rest = &quoted[end + 1..];
        } else {
            let end = value.find(';').unwrap_or(value.len());
            assert_eq!(name, "filename*");
            let (charset, text) = value[..end].split_once("''").expect("a charset");
            assert_eq!(charset, "UTF-8");
            let mut bytes = Vec::new();
            let mut left = text.bytes();
            while let Some(byte) = left.next() {
                bytes.push(match byte {
                    b'%' => {
                        let mut digit = || char::from(left.next().expect("a digit")).to_digit(16).expect("hexadecimal");
                        u8::try_from(digit() * 16 + digit()).expect("a byte")
                    }
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => byte,
                    other => {
                        assert!(b"!#$&+-.^_`|~".contains(&other), "{other} is no attr-char");
                        other
                    }
                });
            }
            assert!(extended.replace(String::from_utf8(bytes).expect("UTF-8")).is_none(), "twice");
            rest = &value[end..];
        }
        rest = rest.strip_prefix(';').unwrap_or(rest);
    }
    (kind.to_owned(), plain, extended)
}

fuzz_target!(|name: &str| {
    let safe = safe_filename(name);
    assert!(!safe.is_empty() && safe.len() <= 255, "{safe:?}");
    assert!(!safe.contains(['/', '\\']) && !safe.chars().any(char::is_control), "{safe:?}");
    assert!(safe != "." && safe != ".." && !safe.starts_with("..") && !safe.starts_with(". ") && !safe.ends_with(['.', ' ']), "{safe:?}");
    assert_eq!(safe_filename(&safe), safe, "safe already");
    for (disposition, expected) in [(Disposition::Attachment, "attachment"), (Disposition::Inline, "inline")] {
        let header = content_disposition(disposition, name);
        let header = header.to_str().expect("visible ASCII");
        let (kind, plain, extended) = parse(header);
        assert_eq!(kind, expected);
        let plain = plain.expect("a fallback");
        assert_eq!(extended.as_ref().unwrap_or(&plain), &safe, "{header}");
        assert!(!plain.contains(['%', '?', ':', '*', '<', '>', '|']), "some clients decode it, Windows forbids it");
        assert_eq!(safe_filename(&plain), plain, "safe already");
    }
});
