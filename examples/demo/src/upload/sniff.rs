//! What a file's first bytes say it is, as far as browsers can show it.

/// The media type of bytes that a browser shows or plays: pictures, recordings and PDF.
pub(crate) fn shown_type(head: &[u8]) -> Option<&'static str> {
    let at = |start: usize, mark: &[u8]| head.get(start..).is_some_and(|rest| rest.starts_with(mark));
    Some(match head {
        _ if at(0, b"\x89PNG\r\n\x1a\n") => "image/png",
        _ if at(0, b"\xff\xd8\xff") => "image/jpeg",
        _ if at(0, b"GIF87a") || at(0, b"GIF89a") => "image/gif",
        _ if at(0, b"RIFF") && at(8, b"WEBP") => "image/webp",
        _ if is_bitmap(head) => "image/bmp",
        _ if at(0, b"RIFF") && at(8, b"WAVE") => "audio/wav",
        _ if at(0, b"OggS") => "audio/ogg",
        _ if at(0, b"fLaC") => "audio/flac",
        _ if at(0, b"\x1a\x45\xdf\xa3") => "video/webm",
        _ if at(4, b"ftyp") => return of_boxes(head),
        _ if is_mp3(head) => "audio/mpeg",
        [0xff, second, ..] if second & 0xf6 == 0xf0 => "audio/aac",
        _ if at(0, b"%PDF-") && head.get(5).is_some_and(u8::is_ascii_digit) => "application/pdf",
        _ => return None,
    })
}

/// `BM` begins many texts; behind the length stands the size of one of the known headers.
fn is_bitmap(head: &[u8]) -> bool {
    head.starts_with(b"BM") && matches!(head.get(14..18), Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}

/// An `ID3v2` tag (its version is 2 to 4, the bytes of its length are below 128), or the first frame of layer III.
fn is_mp3(head: &[u8]) -> bool {
    match head {
        [b'I', b'D', b'3', 2..=4, _, _, length @ ..] => {
            length.len() >= 4 && length[..4].iter().all(|byte| *byte < 0x80)
        }
        [0xff, second, third, ..] => {
            second & 0xe6 == 0xe2 && third & 0xf0 != 0xf0 && third & 0xf0 != 0 && third & 0x0c != 0x0c
        }
        _ => false,
    }
}

/// Of the files that consist of boxes (ISO/IEC 14496-12), those that a browser shows.
fn of_boxes(head: &[u8]) -> Option<&'static str> {
    match head.get(8..12)? {
        b"avif" | b"avis" => Some("image/avif"),
        // A still picture that names its encoding only further on.
        b"mif1" | b"msf1" => {
            let end = usize::from(*head.get(3)?).min(head.len());
            let brands = head.get(16..end)?;
            brands.chunks(4).any(|brand| brand == b"avif").then_some("image/avif")
        }
        b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"crx " | b"jp2 " | b"jpx " | b"qt  " => None,
        b"M4A " | b"M4B " => Some("audio/mp4"),
        _ => Some("video/mp4"),
    }
}
