//! The name of an uploaded file, as its sender meant it.

/// Finds the file name in the `Content-Disposition` of a part of a form.
///
/// Browsers, and curl since 7.81, write `"`, CR and LF in the name as `%22`, `%0D` and `%0A` and every other
/// character as it is, a percent sign too (HTML standard, "multipart/form-data encoding algorithm"); older clients put
/// a backslash before a quote or a backslash. So exactly these are undone: `c%20.pdf` stays `c%20.pdf`.
pub(crate) fn file_name(content_disposition: &[u8]) -> Option<String> {
    let value = String::from_utf8_lossy(content_disposition);
    let mut rest = &*value;
    loop {
        let start = rest.find(';')?;
        let (name, value) = rest[start + 1..].split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => until_quote(quoted),
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if name.trim().eq_ignore_ascii_case("filename") {
            return Some(unescape(value.trim_end()));
        }
        rest = after;
    }
}

/// Splits behind a name at its closing quote, or at the end of the line if there is none.
fn until_quote(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (position, character) in text.char_indices() {
        match character {
            '"' if !escaped => return (&text[..position], &text[position + 1..]),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    // A name that ends in a backslash looks like a quote that goes on.
    (text.trim_end().strip_suffix('"').unwrap_or(text), "")
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

    #[test]
    fn names_are_what_browsers_and_curl_meant() {
        for (disposition, expected) in [
            (r#"form-data; name="file"; filename="a.txt""#, Some("a.txt")),
            (r#"form-data; filename="a.txt"; name="file""#, Some("a.txt")),
            (r#"form-data; name="file"; filename=a.txt"#, Some("a.txt")),
            (r#"form-data; name="file"; FileName = "a b" "#, Some("a b")),
            // A browser, and curl 7.81 or later.
            (r#"form-data; name="file"; filename="ä %22b%22; c%20.pdf""#, Some("ä \"b\"; c%20.pdf")),
            // An older curl.
            (r#"form-data; name="file"; filename="ä \"b\"; c%20.pdf""#, Some("ä \"b\"; c%20.pdf")),
            (r#"form-data; name="file"; filename="a\\b\c""#, Some(r"a\b\c")),
            (r#"form-data; name="file"; filename="ends in \""#, Some(r"ends in \")),
            (r#"form-data; name="file"; filename="50%.txt""#, Some("50%.txt")),
            (r#"form-data; name="file"; filename="%2e%2e%2f%0d%0A""#, Some("%2e%2e%2f\r\n")),
            (r#"form-data; name="; filename=x"; filename="y""#, Some("y")),
            (r#"form-data; name="file"; filename="""#, Some("")),
            (r#"form-data; name="file"; filename*=UTF-8''a.txt"#, None),
            (r#"form-data; name="file""#, None),
            ("form-data", None),
            ("", None),
        ] {
            assert_eq!(file_name(disposition.as_bytes()).as_deref(), expected, "{disposition}");
        }
        assert_eq!(file_name(b"form-data; filename=\"\xe4.txt\"").as_deref(), Some("\u{fffd}.txt"));
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
