//! The media type of an upload. What the uploading client says about it is not asked.
//!
//! The ending of the name decides, because people want a file back under the name and ending that they gave, and browsers
//! rename what is sent under a type of another ending. The bytes can only veto: what is no picture is not sent as one.

use secure_download::safe_filename;

use super::sniff::shown_type;
use super::text::Text;

const UNKNOWN: &str = "application/octet-stream";

/// Endings of what browsers show or play, each with the type that browsers know it by. Other endings of these types, such as
/// `.jfif`, would be replaced when the file is saved.
const SHOWN: [(&str, &str); 21] = [
    ("png", "image/png"),
    ("apng", "image/apng"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("pdf", "application/pdf"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("flac", "audio/flac"),
    ("weba", "audio/webm"),
    ("mp4", "video/mp4"),
    ("m4v", "video/x-m4v"),
    ("webm", "video/webm"),
];

/// The type under which a file is sent, and whether its text is UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) content_type: String,
    pub(crate) is_utf8: bool,
}

impl Kind {
    /// Of a file called `name` that begins with `head`.
    pub(crate) fn of(name: &str, head: &[u8], text: Text) -> Self {
        let essence = essence(name, head, text);
        let is_text = essence.starts_with("text/");
        let content_type = match text {
            Text::Utf16 if is_text => format!("{essence}; charset=utf-16"),
            _ => essence.to_owned(),
        };
        Self { content_type, is_utf8: is_text && text == Text::Utf8 }
    }
}

/// Whether a browser shows or plays files of this type.
pub(crate) fn is_shown(essence: &str) -> bool {
    essence == "text/plain" || SHOWN.iter().any(|(_, shown)| *shown == essence)
}

fn essence(name: &str, head: &[u8], text: Text) -> &'static str {
    // Text is neither picture nor recording, however it begins.
    let shown = shown_type(head).filter(|shown| text != Text::Utf8 || *shown == "application/pdf");
    // The name as a browser saves it.
    let name = safe_filename(name);
    let Some(ending) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending)
    else {
        return shown.filter(|_| text != Text::Utf8).unwrap_or(UNKNOWN);
    };
    if let Some((_, by_name)) = SHOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)) {
        let keeps_its_word = shown.is_some_and(|shown| group(shown) == group(by_name));
        return if keeps_its_word { by_name } else { UNKNOWN };
    }
    match mime_guess::from_ext(ending).first_raw() {
        Some(by_name) if is_shown(by_name) && by_name != "text/plain" => UNKNOWN,
        Some(by_name) if by_name.starts_with("text/") && text == Text::Binary => UNKNOWN,
        // TypeScript, and playlists.
        Some(by_name) if group(by_name) == "recording" && text != Text::Binary => UNKNOWN,
        Some(by_name) => by_name,
        None => UNKNOWN,
    }
}

/// What a browser takes for the same sort of thing, and tells apart by the bytes.
fn group(essence: &str) -> &str {
    match essence.split_once('/') {
        Some(("audio" | "video", _)) => "recording",
        Some(("image", _)) => "image",
        _ => essence,
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::TextCheck;
    use super::*;

    fn kind(name: &str, bytes: &[u8]) -> (String, bool) {
        let mut check = TextCheck::default();
        check.add(bytes);
        let kind = Kind::of(name, bytes, check.text());
        (kind.content_type, kind.is_utf8)
    }

    #[test]
    fn the_ending_that_people_gave_wins() {
        const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";
        const TIFF: &[u8] = b"II*\0\x08\0\0\0";
        const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0";
        const OGG: &[u8] = b"OggS\0\x02\0\0";
        const MP3: &[u8] = b"ID3\x04\0\0\0\0\x01\0";
        const BMP: &[u8] = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0";
        let ftyp = |brand: &str| [b"\0\0\0\x18ftyp", brand.as_bytes(), b"\0\0\0\0mif1avif"].concat();
        for (name, bytes, expected) in [
            // Texts that begin like something else.
            ("cars.csv", &b"BMW;2024"[..], "text/csv"),
            ("g.txt", b"GIF or not", "text/plain"),
            ("g89.txt", b"GIF89a was a format", "text/plain"),
            ("i.txt", b"ID3 tags", "text/plain"),
            ("m.txt", b"MZ is a beginning", "text/plain"),
            ("f.txt", b"FWS", "text/plain"),
            ("p.txt", b"%!PS-Adobe", "text/plain"),
            ("pdf.txt", b"%PDF-1.7 begins a PDF", "text/plain"),
            ("s.log", b"SQLite format 3 is a format", "text/plain"),
            ("r.csv", b"RIFF....WAVE", "text/csv"),
            ("BMW", b"BMW;2024", UNKNOWN),
            ("README", b"plain", UNKNOWN),
            ("NOTES", b"%PDF-1.7 begins a PDF", UNKNOWN),
            ("a.ts", b"export const a = 1;", UNKNOWN),
            ("a.m3u8", b"#EXTM3U", UNKNOWN),
            ("a.rs", b"fn main() {}", "text/x-rust"),
            // Endings whose bytes look like those of another.
            ("photo.nef", TIFF, "image/x-nikon-nef"),
            ("photo.DNG", TIFF, "image/x-adobe-dng"),
            ("photo.arw", TIFF, "image/x-sony-arw"),
            ("photo.orf", b"IIRO\x08\0\0\0", "image/x-olympus-orf"),
            ("photo.pef", TIFF, "image/x-pentax-pef"),
            ("art.ai", b"%PDF-1.5\n\0", "application/postscript"),
            ("song.wma", b"\x30\x26\xb2\x75\0", "audio/x-ms-wma"),
            ("film.ogv", OGG, "video/ogg"),
            ("ring.m4r", &ftyp("M4A "), "audio/x-m4r"),
            ("phone.heic", &ftyp("heic"), "image/heic"),
            ("letter.docx", ZIP, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            // Browsers would save these under another ending.
            ("photo.jfif", JPEG, UNKNOWN),
            ("photo.jpe", JPEG, UNKNOWN),
            ("a.dib", BMP, UNKNOWN),
            // What is shown.
            ("a.png", PNG, "image/png"),
            ("a.PNG", JPEG, "image/png"),
            ("a.bmp", BMP, "image/bmp"),
            ("a.avif", &ftyp("avif"), "image/avif"),
            ("a.pdf", b"%PDF-1.7\n", "application/pdf"),
            ("a.mp3", MP3, "audio/mpeg"),
            ("a.mp3", b"\xff\xfb\x90\x64\0", "audio/mpeg"),
            ("a.m4a", &ftyp("M4A "), "audio/mp4"),
            ("a.mp4", &ftyp("isom"), "video/mp4"),
            ("a.opus", OGG, "audio/ogg"),
            ("a", PNG, "image/png"),
            ("a", b"fLaC\0\0\0\x22", "audio/flac"),
            ("a", &ftyp("mif1"), "image/avif"),
            // What is not what its ending says.
            ("a.png", b"<!DOCTYPE html><title>x</title>", UNKNOWN),
            ("a.png", b"<?xml version='1.0'?><svg/>", UNKNOWN),
            ("a.png", b"no picture", UNKNOWN),
            ("a.png", b"", UNKNOWN),
            ("a.png", &ftyp("heic"), UNKNOWN),
            ("a.bmp", b"BMW;2024\0", UNKNOWN),
            ("a.gif", b"GIF89a, as a text", UNKNOWN),
            ("a.mp3", b"ID3 tags", UNKNOWN),
            ("a.mp4", b"no film", UNKNOWN),
            ("a.pdf", b"<script>", UNKNOWN),
            ("a.txt", PNG, UNKNOWN),
            // The ending is that of the name that is saved.
            ("a.png ", PNG, "image/png"),
            ("a.pdf\u{202e}.\u{200b}html", b"<p>", "text/html"),
            (".png", PNG, "image/png"),
            // Never shown.
            ("a.html", b"<p>", "text/html"),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
            ("a.unheard-of", b"\x00\x01", UNKNOWN),
        ] {
            assert_eq!(kind(name, bytes).0, expected, "{name:?}");
        }
    }

    #[test]
    fn text_has_the_right_charset_or_none() {
        let late = [&[b'a'; 9000][..], b"Gr\xfc\xdfe"].concat();
        for (name, bytes, expected, is_utf8) in [
            ("a.txt", "Grüße".as_bytes(), "text/plain", true),
            ("a.TXT", b"", "text/plain", true),
            ("a.html", "<p>ä".as_bytes(), "text/html", true),
            ("a.txt", b"Gr\xfc\xdfe", "text/plain", false),
            ("a.txt", &late, "text/plain", false),
            ("a.txt", b"\xff\xfeG\0", "text/plain; charset=utf-16", false),
            ("a.csv", b"\xfe\xff\0G", "text/csv; charset=utf-16", false),
            ("a.json", b"{}", "application/json", false),
            ("iso-2022-jp.txt", b"\x1b$BF|K\x1b(B", "text/plain", false),
            ("iso-2022-kr.csv", b"\x1b$)C\x0eFnGO\x0f", "text/csv", false),
            ("coloured.log", "\x1b[32mgrün".as_bytes(), "text/plain", true),
            ("utf-32.txt", b"\xff\xfe\0\0G\0\0\0", UNKNOWN, false),
        ] {
            assert_eq!(kind(name, bytes), (expected.to_owned(), is_utf8), "{name}");
        }
    }
}
