//! What a part of a form is called: the name of its field, and the name of the file as its sender meant it.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization as _;

use super::encoded_word;

/// What the `Content-Disposition` of a part says (RFC 7578 section 4.2).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Disposition {
    /// The form's field.
    pub(crate) field: Option<String>,
    /// The file, if the field holds one.
    pub(crate) file: Option<String>,
}

impl Disposition {
    /// Reads what browsers and programs send.
    ///
    /// - Browsers, curl since 7.81 and `OkHttp` write `"`, CR and LF as `%22`, `%0D` and `%0A` and every other character as it
    ///   is, a percent sign too (HTML standard, "multipart/form-data encoding algorithm"). Go and older clients put a backslash
    ///   before a quote or a backslash. Exactly these are undone: `c%20.pdf` stays `c%20.pdf`.
    /// - .NET, PowerShell and older Python send `filename*` too (RFC 5987), which is exact; Java puts it in quotes.
    /// - .NET and Spring send `filename` as encoded words (RFC 2047).
    /// - Some clients leave the quotes away, or a quote inside as it is.
    /// - Bytes that are not UTF-8 are Windows-1252, of which Latin-1 is a part.
    pub(crate) fn read(value: &[u8]) -> Self {
        let text = match std::str::from_utf8(value) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(value).0,
        };
        let (mut read, mut exact) = (Self::default(), None);
        let mut rest = &*text;
        while let Some(start) = rest.find(';') {
            let Some((name, value)) = rest[start + 1..].split_once('=') else { break };
            let value = value.trim_start();
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => until_quote(quoted),
                None => value.split_at(value.find(';').unwrap_or(value.len())),
            };
            let (name, value) = (name.trim(), value.trim_end());
            if name.eq_ignore_ascii_case("name") {
                read.field.get_or_insert_with(|| unescape(value));
            } else if name.eq_ignore_ascii_case("filename") {
                read.file.get_or_insert_with(|| meant(value));
            } else if name.eq_ignore_ascii_case("filename*") {
                exact = exact.or_else(|| extended(value));
            }
            rest = after;
        }
        read.file = exact.or(read.file).map(|name| without_folder(&name).nfc().collect());
        read
    }
}

/// Splits behind a value at its closing quote, or at the end of the line if there is none. A quote is the closing one if the
/// value can end there.
fn until_quote(text: &str) -> (&str, &str) {
    let ends = |rest: &str| matches!(rest.trim_start().chars().next(), None | Some(';'));
    let mut escaped = false;
    for (position, character) in text.char_indices() {
        match character {
            '"' if !escaped && ends(&text[position + 1..]) => {
                return (&text[..position], &text[position + 1..]);
            }
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    // A name that ends in a backslash looks like a quote that goes on.
    (text.trim_end().strip_suffix('"').unwrap_or(text), "")
}

/// The value of `filename`.
fn meant(value: &str) -> String {
    encoded_word::decode_all(value).unwrap_or_else(|| unescape(value))
}

fn unescape(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let starts =
            |escape: &str| rest.get(..escape.len()).is_some_and(|head| head.eq_ignore_ascii_case(escape));
        let (character, length) = if starts("%22") {
            ('"', 3)
        } else if starts("%0D") {
            ('\r', 3)
        } else if starts("%0A") {
            ('\n', 3)
        } else if starts("\\\"") {
            ('"', 2)
        } else if starts("\\\\") {
            ('\\', 2)
        } else {
            (character, character.len_utf8())
        };
        name.push(character);
        rest = &rest[length..];
    }
    name
}

/// The value of `filename*`: charset, language and percent-encoded bytes (RFC 5987 section 3.2.1).
fn extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, bytes) = rest.split_once('\'')?;
    let bytes: Cow<'_, [u8]> = percent_decode_str(bytes).into();
    decode(charset, &bytes).filter(|name| !name.is_empty())
}

/// Bytes in an encoding by its name, if that is known and all of them are right.
pub(super) fn decode(charset: &str, bytes: &[u8]) -> Option<String> {
    let encoding = Encoding::for_label(charset.trim().as_bytes())?;
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Cow::into_owned)
}

/// Programs on Windows may send the whole path.
fn without_folder(name: &str) -> &str {
    let is_path = name.starts_with(r"\\")
        || matches!(name.as_bytes(), [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic());
    if is_path { name.rsplit('\\').next().unwrap_or(name) } else { name }
}

/// The longest name that is kept, in bytes.
const LONGEST: usize = 1024;

/// The name, or one for a file that came without; over-long names lose their middle, not their ending.
pub(crate) fn or_default(name: Option<String>, content_type: &str) -> String {
    let name = name.unwrap_or_default();
    if name.trim().is_empty() {
        let essence = content_type.split(';').next().unwrap_or_default();
        let ending = mime_guess::get_mime_extensions_str(essence)
            .filter(|_| essence != "application/octet-stream")
            .and_then(|endings| endings.first());
        return ending.map_or_else(|| "upload".to_owned(), |ending| format!("upload.{ending}"));
    }
    if name.len() <= LONGEST {
        return name;
    }
    let tail = name.ceil_char_boundary(name.len() - LONGEST / 4);
    let head = name.floor_char_boundary(LONGEST / 2);
    format!("{}…{}", &name[..head], &name[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(disposition: &[u8]) -> Option<String> {
        Disposition::read(disposition).file
    }

    #[test]
    fn names_are_what_their_senders_meant() {
        for (disposition, expected) in [
            (r#"form-data; name="file"; filename="a.txt""#, Some("a.txt")),
            (r#"form-data; filename="a.txt"; name="file""#, Some("a.txt")),
            (r#"form-data; name="file"; filename=a.txt"#, Some("a.txt")),
            (r"form-data; name=file; filename=a b.txt", Some("a b.txt")),
            (r#"form-data; name="file"; FileName = "a b" "#, Some("a b")),
            // A browser, and curl 7.81 or later.
            (r#"form-data; name="file"; filename="ä %22b%22; c%20.pdf""#, Some("ä \"b\"; c%20.pdf")),
            // Go, and an older curl.
            (r#"form-data; name="file"; filename="ä \"b\"; c%20.pdf""#, Some("ä \"b\"; c%20.pdf")),
            (r#"form-data; name="file"; filename="a\\b\c""#, Some(r"a\b\c")),
            (r#"form-data; name="file"; filename="ends in \""#, Some(r"ends in \")),
            (r#"form-data; name="file"; filename="50%.txt""#, Some("50%.txt")),
            (r#"form-data; name="file"; filename="%2e%2e%2f%0d%0A""#, Some("%2e%2e%2f\r\n")),
            (r#"form-data; name="; filename=x"; filename="y""#, Some("y")),
            (r#"form-data; name="file"; filename="""#, Some("")),
            // .NET and PowerShell.
            ("form-data; name=file; filename=a.txt; filename*=utf-8''a.txt", Some("a.txt")),
            (
                r#"form-data; name=file; filename="=?utf-8?B?w7wgMS50eHQ=?="; filename*=utf-8''%C3%BC%201.txt"#,
                Some("ü 1.txt"),
            ),
            (r#"form-data; name=file; filename="=?utf-8?B?w7wgMS50eHQ=?=""#, Some("ü 1.txt")),
            // Spring.
            (r#"form-data; name="file"; filename="=?UTF-8?Q?=C3=BC_1.txt?=""#, Some("ü 1.txt")),
            (r#"form-data; name="file"; filename="=?UTF-8?Q?=C3=BC?= =?UTF-8?Q?_1.txt?=""#, Some("ü 1.txt")),
            // Python's urllib3 before version 2.
            (r#"form-data; name="file"; filename*=utf-8''%C3%BC%201.txt"#, Some("ü 1.txt")),
            // Apache HttpClient 5.
            (
                r#"form-data; name="file"; filename="? 1.txt"; filename*="UTF-8''%C3%BC%201.txt""#,
                Some("ü 1.txt"),
            ),
            (r#"form-data; name="file"; filename*=iso-8859-1'de'%FC.txt; filename="u.txt""#, Some("ü.txt")),
            (r#"form-data; name="file"; filename*=utf-8''%FC.txt; filename="u.txt""#, Some("u.txt")),
            (r#"form-data; name="file"; filename*=what''a.txt; filename="u.txt""#, Some("u.txt")),
            (r#"form-data; name="file"; filename*=a.txt"#, None),
            // Quotes that nobody escaped.
            (r#"form-data; name="file"; filename="a "b" c.txt""#, Some("a \"b\" c.txt")),
            (r#"form-data; name="file"; filename="a.txt"#, Some("a.txt")),
            // Whole paths.
            (r#"form-data; name="file"; filename="C:\fakepath\a.txt""#, Some("a.txt")),
            (r#"form-data; name="file"; filename="\\\\server\\share\\a.txt""#, Some("a.txt")),
            // macOS: decomposed.
            ("form-data; name=\"file\"; filename=\"Mu\u{308}ller.pdf\"", Some("M\u{fc}ller.pdf")),
            ("form-data; name=\"file\"; filename*=utf-8''Mu%CC%88ller.pdf", Some("M\u{fc}ller.pdf")),
            (r#"form-data; name="file""#, None),
            ("form-data", None),
            ("", None),
        ] {
            assert_eq!(file(disposition.as_bytes()).as_deref(), expected, "{disposition}");
        }
        assert_eq!(file(b"form-data; filename=\"\xe4 \x80.txt\"").as_deref(), Some("ä €.txt"));
    }

    #[test]
    fn fields_are_read_as_names_are() {
        for (disposition, expected) in [
            (r#"form-data; name="file"; filename="a.txt""#, Some("file")),
            ("form-data; name=file; filename=a.txt", Some("file")),
            (r#"form-data; filename="; name=x"; name="file""#, Some("file")),
            (r#"form-data; filename="a"; NAME="a%22b""#, Some("a\"b")),
            ("form-data; filename=a", None),
        ] {
            assert_eq!(Disposition::read(disposition.as_bytes()).field.as_deref(), expected, "{disposition}");
        }
    }

    #[test]
    fn every_file_has_a_name_that_fits() {
        assert_eq!(or_default(None, "application/pdf"), "upload.pdf");
        assert_eq!(or_default(Some(" ".to_owned()), "application/octet-stream"), "upload");
        assert_eq!(or_default(Some(" a ".to_owned()), "application/pdf"), " a ");
        let long = or_default(Some(format!("{}.pdf", "ä".repeat(2000))), "application/pdf");
        assert!(long.len() <= LONGEST && long.ends_with("ä.pdf"), "{long}");
    }
}
