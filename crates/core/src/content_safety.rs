//! [`ContentPolicy`]: what a browser may do with uploaded content.

use std::borrow::Cow;

use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

/// `Cross-Origin-Resource-Policy`, <https://fetch.spec.whatwg.org/#cross-origin-resource-policy-header>.
pub(crate) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Shown content runs nothing, loads nothing and has no origin. Images and media may load themselves, plain text
/// and media viewers may use the browser's own style.
const SANDBOX: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
);

/// As [`SANDBOX`], but with the origin it came from: a browser that shows a film asks for it once more, and would do so
/// without cookies from a sandbox that has none. Nothing runs in it all the same.
const MEDIA: HeaderValue = HeaderValue::from_static(
    "sandbox allow-same-origin; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
);

/// As [`SANDBOX`], but browsers do not start their PDF viewers in a sandbox.
const PDF: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; object-src 'self'; img-src 'self'; \
     style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
);

/// Which sites may embed a download, as `Cross-Origin-Resource-Policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CrossOriginPolicy {
    /// Only pages of the same origin.
    #[default]
    SameOrigin,
    /// Pages of the same site, other subdomains included.
    SameSite,
    /// Any page. Tells other sites whether a signed-in visitor may see a file.
    CrossOrigin,
}

/// What a browser may do with the content of a download.
///
/// Content is shown inline only if the [`Terms`](crate::Terms) ask for it and its type is one that cannot run
/// anything: raster images, audio, video and plain text. HTML, SVG, XML, scripts and unknown types are attachments
/// whatever the terms ask. JavaScript and CSS are also sent as `application/octet-stream`, so that no page can
/// load an upload as a script or a style sheet, and so is every `multipart` type under any policy: the parts of such
/// a file carry header fields of their own, which clients would take for the answer's.
///
/// ```
/// use secure_download_core::{ContentPolicy, CrossOriginPolicy};
///
/// let policy = ContentPolicy::new().inline_pdf().cross_origin(CrossOriginPolicy::SameSite);
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentPolicy {
    pdf: bool,
    any_type: bool,
    cross_origin: CrossOriginPolicy,
}

impl ContentPolicy {
    /// The default policy: see the type's documentation.
    #[must_use]
    pub const fn new() -> Self {
        Self { pdf: false, any_type: false, cross_origin: CrossOriginPolicy::SameOrigin }
    }

    /// Also shows PDF files inline. They may hold scripts, which browsers run in the viewer's own sandbox.
    #[must_use]
    pub const fn inline_pdf(mut self) -> Self {
        self.pdf = true;
        self
    }

    /// Which sites may embed a download; the same origin by default.
    #[must_use]
    pub const fn cross_origin(mut self, policy: CrossOriginPolicy) -> Self {
        self.cross_origin = policy;
        self
    }

    /// **Dangerous**: shows every type inline and sends scripts and style sheets under their own type. An uploaded
    /// HTML page then only has the `Content-Security-Policy: sandbox` between it and your users' sessions. For apps
    /// that serve downloads from a domain of their own.
    #[must_use]
    pub const fn danger_inline_active_content(mut self) -> Self {
        self.any_type = true;
        self
    }

    /// The type to send and whether the content may be shown.
    pub(crate) fn judge(&self, content_type: Option<&str>) -> Judgement {
        let parsed = content_type.and_then(parse_media_type);
        let Some((essence, value)) = parsed.filter(|(essence, _)| !frames_an_answer(essence)) else {
            return Judgement { content_type: OCTET_STREAM, inline: None };
        };
        let (top, subtype) = essence.split_once('/').unwrap_or_default();
        // Browsers read every type that ends so as a document.
        let is_media = matches!(top, "audio" | "video") && !subtype.ends_with("xml");
        let sandbox = match &*essence {
            "application/pdf" => PDF,
            _ if is_media => MEDIA,
            _ => SANDBOX,
        };
        if self.any_type {
            return Judgement { content_type: value, inline: Some(sandbox) };
        }
        let inline = match &*essence {
            "application/pdf" => self.pdf,
            "text/plain" => true,
            "image/png"
            | "image/jpeg"
            | "image/gif"
            | "image/webp"
            | "image/avif"
            | "image/bmp"
            | "image/x-icon"
            | "image/vnd.microsoft.icon"
            | "image/apng" => true,
            _ => is_media,
        };
        let value = if is_script_or_style(&essence) { OCTET_STREAM } else { value };
        Judgement { content_type: value, inline: inline.then_some(sandbox) }
    }

    /// The headers that every download and every refusal carries.
    pub(crate) fn common_headers(&self) -> [(HeaderName, HeaderValue); 3] {
        let cross_origin = match self.cross_origin {
            CrossOriginPolicy::SameOrigin => "same-origin",
            CrossOriginPolicy::SameSite => "same-site",
            CrossOriginPolicy::CrossOrigin => "cross-origin",
        };
        [
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static(cross_origin)),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ]
    }
}

/// What [`ContentPolicy::judge`] found.
pub(crate) struct Judgement {
    pub(crate) content_type: HeaderValue,
    /// The `Content-Security-Policy` under which the content may be shown; `None` means attachment.
    pub(crate) inline: Option<HeaderValue>,
}

impl Judgement {
    /// The header that goes with inline content.
    pub(crate) const POLICY_HEADER: HeaderName = CONTENT_SECURITY_POLICY;
}

/// In an answer to a range, `multipart/byteranges` would let the file say which range it is (RFC 9110 section 14.6), and
/// `multipart/x-mixed-replace` lets it replace fields of the answer in some browsers.
fn frames_an_answer(essence: &str) -> bool {
    essence.starts_with("multipart/")
}

/// Types that a page can load as code or style (WHATWG MIME Sniffing, "JavaScript MIME type").
fn is_script_or_style(essence: &str) -> bool {
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype.contains("javascript")
        || subtype.contains("ecmascript")
        || matches!(
            essence,
            "text/css" | "text/jscript" | "text/livescript" | "application/wasm" | "text/cache-manifest"
        )
}

/// Types that need no reading: what most downloads are.
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

/// RFC 9110 section 8.3.1: `type "/" subtype *( OWS ";" OWS name "=" ( token / quoted-string ) )`. Returns the
/// lower-case essence and the whole value.
fn parse_media_type(text: &str) -> Option<(Cow<'static, str>, HeaderValue)> {
    if let Some(common) = COMMON.into_iter().find(|common| *common == text) {
        return Some((Cow::Borrowed(common), HeaderValue::from_static(common)));
    }
    let (essence, mut parameters) = match text.split_once(';') {
        Some((essence, rest)) => (essence.trim_end_matches([' ', '\t']), Some(rest)),
        None => (text, None),
    };
    let (top, subtype) = essence.split_once('/')?;
    if !is_token(top) || !is_token(subtype) {
        return None;
    }
    while let Some(rest) = parameters {
        let rest = rest.trim_start_matches([' ', '\t']);
        let (name, rest) = rest.split_once('=')?;
        if !is_token(name) {
            return None;
        }
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
    Some((Cow::Owned(essence.to_ascii_lowercase()), HeaderValue::from_str(text).ok()?))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_types_are_shown() {
        let (default, pdf) = (ContentPolicy::new(), ContentPolicy::new().inline_pdf());
        let danger = ContentPolicy::new().danger_inline_active_content();
        // type, as sent, inline by default, with PDF, with the opt-out
        for (given, sent, by_default, with_pdf, in_danger) in [
            ("image/png", "image/png", true, true, true),
            ("IMAGE/PNG", "IMAGE/PNG", true, true, true),
            ("text/plain; charset=utf-8", "text/plain; charset=utf-8", true, true, true),
            ("video/mp4; codecs=\"a, b\"", "video/mp4; codecs=\"a, b\"", true, true, true),
            ("audio/ogg", "audio/ogg", true, true, true),
            ("application/pdf", "application/pdf", false, true, true),
            ("text/html", "text/html", false, false, true),
            ("text/html;charset=utf-8", "text/html;charset=utf-8", false, false, true),
            ("image/svg+xml", "image/svg+xml", false, false, true),
            ("application/xhtml+xml", "application/xhtml+xml", false, false, true),
            ("text/xml", "text/xml", false, false, true),
            ("application/zip", "application/zip", false, false, true),
            ("application/octet-stream", "application/octet-stream", false, false, true),
        ] {
            for (policy, inline) in [(default, by_default), (pdf, with_pdf), (danger, in_danger)] {
                let judgement = policy.judge(Some(given));
                assert_eq!(
                    (judgement.content_type, judgement.inline.is_some()),
                    (sent.parse().expect(sent), inline)
                );
            }
        }
        for script in [
            "text/javascript",
            "application/x-javascript; charset=utf-8",
            "text/ECMAscript",
            "text/css",
            "application/wasm",
        ] {
            assert_eq!(default.judge(Some(script)).content_type, OCTET_STREAM, "{script}");
            assert!(default.judge(Some(script)).inline.is_none(), "{script}");
        }
    }

    #[test]
    fn what_frames_an_answer_is_sent_as_bytes() {
        for framing in [
            "multipart/byteranges; boundary=ext5112",
            "Multipart/ByteRanges;boundary=\"x\"",
            "multipart/x-mixed-replace; boundary=x",
            "multipart/related",
        ] {
            for policy in [ContentPolicy::new(), ContentPolicy::new().danger_inline_active_content()] {
                let judgement = policy.judge(Some(framing));
                assert_eq!(judgement.content_type, OCTET_STREAM, "{framing}");
                assert!(judgement.inline.is_none(), "{framing}");
            }
        }
    }

    #[test]
    fn what_is_no_media_type_is_sent_as_bytes() {
        for junk in [
            "",
            "image",
            "image/",
            "/png",
            "image/png, text/html",
            "image/png\r\nX: y",
            "image /png",
            "image/png;",
            "image/png; a",
            "image/png; a=",
            "image/png; a=\"b",
            "image/png; a=b c",
            "image/png; a=\"\x01\"",
            "image/png; a=\"\\\x01\"",
            "image/png; a b=c",
            "text/плейн",
            "image/png; a=\"b\" text/html",
        ] {
            let judgement = ContentPolicy::new().danger_inline_active_content().judge(Some(junk));
            assert_eq!(judgement.content_type, OCTET_STREAM, "{junk:?}");
            assert!(judgement.inline.is_none(), "{junk:?}");
        }
        assert_eq!(ContentPolicy::new().judge(None).content_type, OCTET_STREAM);
    }
}
