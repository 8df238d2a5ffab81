//! What kind of file an upload is. What the uploading client says about it is not asked.

const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file: its first bytes decide, the end of its name where they are silent or vague.
///
/// `size` is that of the whole file, of which `head` is the beginning.
pub(crate) fn content_type(name: &str, head: &[u8], size: u64) -> String {
    let by_name = mime_guess::from_path(name).first_raw();
    let by_bytes = infer::get(head).map(|kind| known_to_browsers(kind.mime_type()));
    let essence = match (by_bytes, by_name) {
        (Some(bytes), Some(name)) if refines(bytes, name) => name,
        (Some(bytes), _) => bytes,
        // A picture begins with bytes that are known, so this is none, whatever its name.
        (None, Some(name)) if is_picture(name) && size > 0 => UNKNOWN,
        (None, Some(name)) => name,
        (None, None) => UNKNOWN,
    };
    // Browsers read text without a named encoding as they like.
    if essence.starts_with("text/") && is_utf8(head, size) {
        format!("{essence}; charset=utf-8")
    } else {
        essence.to_owned()
    }
}

/// Some types have an older name too, under which not every browser plays them.
fn known_to_browsers(essence: &'static str) -> &'static str {
    match essence {
        "audio/m4a" => "audio/mp4",
        "audio/x-flac" => "audio/flac",
        "audio/x-wav" => "audio/wav",
        other => other,
    }
}

/// Whether a name may say what is in an archive, or which kind of text it is.
fn refines(by_bytes: &str, by_name: &str) -> bool {
    let is_text = |essence: &str| {
        essence.starts_with("text/")
            || essence.ends_with("xml")
            || essence.ends_with("json")
            || essence.ends_with("javascript")
    };
    match by_bytes {
        "application/zip" | "application/x-ole-storage" => by_name.starts_with("application/"),
        text if text.starts_with("text/") => is_text(by_name),
        _ => false,
    }
}

fn is_picture(essence: &str) -> bool {
    essence.starts_with("image/") && infer::is_mime_supported(essence)
}

fn is_utf8(head: &[u8], size: u64) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        // The beginning may end within a character.
        Err(error) => error.error_len().is_none() && size > head.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_before_names() {
        const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0";
        for (name, head, expected) in [
            ("a.png", PNG, "image/png"),
            ("a.txt", PNG, "image/png"),
            ("a", PNG, "image/png"),
            ("a.html", b"\xff\xd8\xff\xe0", "image/jpeg"),
            ("a.pdf", b"%PDF-1.7\n", "application/pdf"),
            ("a", b"fLaC\0\0\0\x22", "audio/flac"),
            ("a", b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
            ("a.txt", b"plain", "text/plain; charset=utf-8"),
            ("a.txt", "Grüße".as_bytes(), "text/plain; charset=utf-8"),
            ("a.txt", b"Gr\xfc\xdfe", "text/plain"),
            ("a.TXT", b"", "text/plain; charset=utf-8"),
            ("a", b"plain", UNKNOWN),
            ("a", b"<!DOCTYPE html><title>x</title>", "text/html; charset=utf-8"),
            ("a.png", b"<!DOCTYPE html><title>x</title>", "text/html; charset=utf-8"),
            ("a.png", b"<?xml version='1.0'?><svg/>", "text/xml; charset=utf-8"),
            ("a.svg", b"<?xml version='1.0'?><svg/>", "image/svg+xml"),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
            ("a.xhtml", b"<?xml version='1.0'?><html/>", "application/xhtml+xml"),
            ("a.png", b"no picture", UNKNOWN),
            ("a.docx", ZIP, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("a.png", ZIP, "application/zip"),
            ("a.unheard-of", b"\x00\x01", UNKNOWN),
        ] {
            assert_eq!(content_type(name, head, head.len() as u64), expected, "{name}");
        }
        assert_eq!(content_type("a.txt", b"Gr\xc3", 9), "text/plain; charset=utf-8");
        assert_eq!(content_type("a.txt", b"Gr\xc3", 3), "text/plain");
    }
}
