//! [`MediaType`]: a media type that was read and found well-formed, RFC 9110 section 8.3.1.

use std::borrow::Cow;

use http::HeaderValue;

/// A longer type is none. Each part of a `multipart/byteranges` answer repeats it. RFC 6838 section 4.2 allows 127
/// characters on each side of the slash.
const MAX_LEN: usize = 255;

const UTF8: &[u8] = b"; charset=utf-8";

/// Types that need no reading: those of most downloads.
const COMMON: [&str; 12] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/pdf",
    "application/zip",
    "application/octet-stream",
    "text/plain",
    "text/csv",
    "video/mp4",
    "audio/mpeg",
    "audio/mp4",
];

/// A well-formed media type.
pub(crate) struct MediaType {
    /// `type/subtype` in lower case.
    essence: Cow<'static, str>,
    /// All of it, as the application wrote it.
    value: HeaderValue,
    has_charset: bool,
}

impl MediaType {
    /// Reads `type "/" subtype *( OWS ";" OWS name "=" ( token / quoted-string ) )`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(common) = COMMON.into_iter().find(|common| *common == text) {
            let value = HeaderValue::from_static(common);
            return Some(Self { essence: Cow::Borrowed(common), value, has_charset: false });
        }
        if text.len() > MAX_LEN {
            return None;
        }
        let (essence, mut parameters) = match text.split_once(';') {
            Some((essence, rest)) => (essence.trim_end_matches([' ', '\t']), Some(rest)),
            None => (text, None),
        };
        let (top, subtype) = essence.split_once('/')?;
        if !is_token(top) || !is_token(subtype) {
            return None;
        }
        let mut has_charset = false;
        while let Some(rest) = parameters {
            let rest = rest.trim_start_matches([' ', '\t']);
            let (name, rest) = rest.split_once('=')?;
            if !is_token(name) {
                return None;
            }
            has_charset |= name.eq_ignore_ascii_case("charset");
            let after = match rest.strip_prefix('"') {
                Some(quoted) => &quoted[end_of_quoted(quoted)?..],
                None => {
                    let end = rest.find([';', ' ', '\t']).unwrap_or(rest.len());
                    if !is_token(&rest[..end]) {
                        return None;
                    }
                    &rest[end..]
                }
            };
            let after = after.trim_start_matches([' ', '\t']);
            parameters = match after.strip_prefix(';') {
                Some(more) => Some(more),
                None if after.is_empty() => None,
                None => return None,
            };
        }
        let essence = Cow::Owned(essence.to_ascii_lowercase());
        Some(Self { essence, value: HeaderValue::from_str(text).ok()?, has_charset })
    }

    pub(crate) fn essence(&self) -> &str {
        &self.essence
    }

    /// The whole value, as it was given.
    pub(crate) fn into_value(self) -> HeaderValue {
        self.value
    }

    /// The whole value; a `text/*` type without a charset gets `charset=utf-8`, unless it then were too long to be read again.
    pub(crate) fn into_value_of_utf8_text(self) -> HeaderValue {
        let is_open = !self.has_charset && self.essence.starts_with("text/");
        if !is_open || self.value.len() + UTF8.len() > MAX_LEN {
            return self.value;
        }
        let value = [self.value.as_bytes(), UTF8].concat();
        HeaderValue::try_from(value).unwrap_or(self.value)
    }

    /// A `multipart` type. In an answer to a range, `multipart/byteranges` lets the file say which range it is (RFC 9110
    /// section 14.6). `multipart/x-mixed-replace` lets it replace headers of the answer in some browsers.
    pub(crate) fn frames_an_answer(&self) -> bool {
        self.essence.starts_with("multipart/")
    }

    /// A type that a page can load as code or style (WHATWG MIME Sniffing, "JavaScript MIME type").
    pub(crate) fn is_script_or_style(&self) -> bool {
        let subtype = self.essence.split_once('/').map_or("", |(_, subtype)| subtype);
        subtype.contains("javascript")
            || subtype.contains("ecmascript")
            || matches!(
                &*self.essence,
                "text/css" | "text/jscript" | "text/livescript" | "application/wasm" | "text/cache-manifest"
            )
    }

    /// A picture of pixels: nothing in it runs or is fetched.
    pub(crate) fn is_raster_image(&self) -> bool {
        matches!(
            &*self.essence,
            "image/png"
                | "image/jpeg"
                | "image/gif"
                | "image/webp"
                | "image/avif"
                | "image/bmp"
                | "image/x-icon"
                | "image/vnd.microsoft.icon"
                | "image/apng"
        )
    }

    /// A recording that holds all that is played. Playlists and manifests (`audio/x-mpegurl`, `audio/x-scpls`,
    /// `video/x-ms-asf`, `audio/x-pn-realaudio`) are not: a player fetches the URLs in them. So is nothing that browsers
    /// read as XML. The list names what is played, for the names of playlists have no end.
    pub(crate) fn is_recording(&self) -> bool {
        let (top, subtype) = self.essence.split_once('/').unwrap_or_default();
        let known: &[&str] = match top {
            "audio" => &AUDIO,
            "video" => &VIDEO,
            _ => return false,
        };
        known.contains(&subtype.strip_prefix("x-").unwrap_or(subtype))
    }
}

/// Subtypes of `audio` that are recordings, with or without `x-`.
const AUDIO: [&str; 36] = [
    "3gpp",
    "3gpp2",
    "aac",
    "aacp",
    "ac3",
    "adpcm",
    "aiff",
    "amr",
    "amr-wb",
    "basic",
    "caf",
    "eac3",
    "flac",
    "m4a",
    "m4b",
    "matroska",
    "mid",
    "midi",
    "mp2",
    "mp3",
    "mp4",
    "mpeg",
    "mpeg3",
    "mpegaudio",
    "mpg",
    "ogg",
    "opus",
    "pn-wav",
    "speex",
    "vnd.dlna.adts",
    "vnd.wav",
    "vnd.wave",
    "vorbis",
    "wav",
    "wave",
    "webm",
];

/// Subtypes of `video` that are recordings, with or without `x-`.
const VIDEO: [&str; 21] = [
    "3gpp",
    "3gpp2",
    "av1",
    "avi",
    "h264",
    "m4v",
    "matroska",
    "mj2",
    "mkv",
    "mp2t",
    "mp4",
    "mpeg",
    "mpeg2",
    "mpg",
    "msvideo",
    "ogg",
    "quicktime",
    "theora",
    "vnd.avi",
    "vnd.dlna.mpeg-tts",
    "webm",
];

/// The position behind the closing quote; printable ASCII only, so that no control byte gets through.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((position, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(position + 1),
            b'\\' => {
                bytes.next().filter(|(_, escaped)| matches!(escaped, b' '..=b'~'))?;
            }
            b' '..=b'~' => {}
            _ => return None,
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
