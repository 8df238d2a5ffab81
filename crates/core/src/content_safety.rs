//! [`ContentPolicy`]: what a browser may do with uploaded content.

use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

use crate::media_type::MediaType;
use crate::sandbox::{FrameAncestorsError, Kind, Sandbox};

/// `Cross-Origin-Resource-Policy`, <https://fetch.spec.whatwg.org/#cross-origin-resource-policy-header>.
pub(crate) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// The type of what has none.
pub(crate) const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

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
/// Content is shown inline only if the [`Terms`](crate::Terms) ask for it and its type is one that cannot run or fetch
/// anything: raster images, audio and video recordings, and plain text. HTML, SVG, XML, scripts, playlists and unknown
/// types are attachments whatever the terms ask. JavaScript and CSS are also sent as `application/octet-stream`, so that
/// no page can load an upload as a script or a style sheet. So is every `multipart` type under any policy: the parts of
/// such a file carry headers of their own, which clients would take for the answer's.
///
/// Every granted answer carries a `Content-Security-Policy`, attachments too: web views that ignore
/// `Content-Disposition` then show an upload without running it.
///
/// # Text and its charset
///
/// A `text/*` type without a `charset` parameter, as `mime_guess` gives it, is sent without one unless the application
/// declares its texts to be UTF-8. Browsers then show `Grüße` as `GrÃ¼ÃŸe`. The declaration is
/// [`ContentPolicy::text_is_utf8`] for all files of a gate, [`Download::text_is_utf8`](crate::Download::text_is_utf8) for
/// one. A charset that the type names already is kept. Other types, `application/json` for one, never get one.
///
/// ```
/// use secure_download_core::{ContentPolicy, CrossOriginPolicy};
///
/// let policy = ContentPolicy::new()
///     .text_is_utf8()
///     .inline_pdf()
///     .cross_origin(CrossOriginPolicy::SameSite)
///     .frame_ancestors(["'self'", "https://app.corp.example"])?;
/// # let _ = policy;
/// # Ok::<(), secure_download_core::FrameAncestorsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentPolicy {
    pdf: bool,
    any_type: bool,
    utf8_text: bool,
    cross_origin: CrossOriginPolicy,
    sandbox: Sandbox,
}

impl Default for ContentPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl ContentPolicy {
    /// The default policy: see the type's documentation.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            pdf: false,
            any_type: false,
            utf8_text: false,
            cross_origin: CrossOriginPolicy::SameOrigin,
            sandbox: Sandbox::new(),
        }
    }

    /// Also shows PDF files inline. They may hold scripts, which browsers run in the viewer's own sandbox.
    #[must_use]
    pub const fn inline_pdf(mut self) -> Self {
        self.pdf = true;
        self
    }

    /// Declares that the texts of this application are UTF-8: every `text/*` type without a charset is sent with
    /// `charset=utf-8`. For applications that write their texts themselves or check them when they come in. A browser
    /// shows a text in another encoding wrongly, unless it begins with a byte order mark.
    ///
    /// ```
    /// use secure_download_core::{ContentPolicy, Download, FileKey};
    ///
    /// let policy = ContentPolicy::new().text_is_utf8();
    /// // As `mime_guess` gives it; sent as `text/plain; charset=utf-8`.
    /// let download = Download::new(FileKey::parse("a1/b2")?).content_type("text/plain");
    /// # let _ = (policy, download);
    /// # Ok::<(), secure_download_core::FileKeyError>(())
    /// ```
    #[must_use]
    pub const fn text_is_utf8(mut self) -> Self {
        self.utf8_text = true;
        self
    }

    /// Which sites may embed a download; the same origin by default.
    #[must_use]
    pub const fn cross_origin(mut self, policy: CrossOriginPolicy) -> Self {
        self.cross_origin = policy;
        self
    }

    /// Which pages may show a download in a frame, as the `frame-ancestors` of its `Content-Security-Policy`: `'self'`,
    /// which is the default, `'none'`, or origins such as `https://app.corp.example` and `https://*.corp.example`. Name
    /// `'self'` too if the application's own pages frame files. It holds for every type.
    ///
    /// `Cross-Origin-Resource-Policy` is another question: it decides about `<img>`, `<video>` and scripts of other pages,
    /// and about frames only in pages that send `Cross-Origin-Embedder-Policy`. An application that embeds in both ways
    /// sets [`ContentPolicy::cross_origin`] too. A page of another *site* frames a download with the visitor's cookies
    /// only if these are `SameSite=None`.
    ///
    /// # Errors
    /// [`FrameAncestorsError`] if the list is empty, holds `'none'` beside others, or something that is not one of these.
    pub fn frame_ancestors<I>(mut self, sources: I) -> Result<Self, FrameAncestorsError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.sandbox = Sandbox::framed_by(sources)?;
        Ok(self)
    }

    /// **Dangerous**: shows every type inline and sends scripts and style sheets under their own type. An uploaded
    /// HTML page then only has the `Content-Security-Policy: sandbox` between it and your users' sessions. For apps
    /// that serve downloads from a domain of their own.
    #[must_use]
    pub const fn danger_inline_active_content(mut self) -> Self {
        self.any_type = true;
        self
    }

    /// The type to send, and the policies under which the content is saved or shown. `utf8_text`: the application declared
    /// this file's text to be UTF-8.
    pub(crate) fn judge(&self, content_type: Option<&str>, utf8_text: bool) -> Judgement<'_> {
        let attachment = self.sandbox.of(Kind::Attachment);
        let parsed = content_type.and_then(MediaType::parse).filter(|parsed| !parsed.frames_an_answer());
        let Some(parsed) = parsed else {
            return Judgement { content_type: OCTET_STREAM, attachment, inline: None };
        };
        let is_pdf = parsed.essence() == "application/pdf";
        let is_recording = parsed.is_recording();
        let kind = match (is_pdf, is_recording) {
            (true, _) => Kind::Pdf,
            (_, true) => Kind::Recording,
            _ => Kind::Shown,
        };
        let is_shown = self.any_type
            || is_recording
            || is_pdf && self.pdf
            || parsed.is_raster_image()
            || parsed.essence() == "text/plain";
        let inline = is_shown.then(|| self.sandbox.of(kind));
        let content_type = if !self.any_type && parsed.is_script_or_style() {
            OCTET_STREAM
        } else if self.utf8_text || utf8_text {
            parsed.into_value_of_utf8_text()
        } else {
            parsed.into_value()
        };
        Judgement { content_type, attachment, inline }
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

/// The result of [`ContentPolicy::judge`].
pub(crate) struct Judgement<'a> {
    pub(crate) content_type: HeaderValue,
    /// The `Content-Security-Policy` of an attachment.
    pub(crate) attachment: &'a HeaderValue,
    /// The `Content-Security-Policy` under which the content may be shown. `None` means attachment.
    pub(crate) inline: Option<&'a HeaderValue>,
}

impl Judgement<'_> {
    /// The header that carries either policy.
    pub(crate) const POLICY_HEADER: HeaderName = CONTENT_SECURITY_POLICY;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_types_are_shown() {
        let (default, pdf) = (&ContentPolicy::new(), &ContentPolicy::new().inline_pdf());
        let danger = &ContentPolicy::new().danger_inline_active_content();
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
                let judgement = policy.judge(Some(given), false);
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
            assert_eq!(default.judge(Some(script), false).content_type, OCTET_STREAM, "{script}");
            assert!(default.judge(Some(script), false).inline.is_none(), "{script}");
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
                let judgement = policy.judge(Some(framing), false);
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
            let policy = ContentPolicy::new().danger_inline_active_content().text_is_utf8();
            let judgement = policy.judge(Some(junk), true);
            assert_eq!(judgement.content_type, OCTET_STREAM, "{junk:?}");
            assert!(judgement.inline.is_none(), "{junk:?}");
        }
        assert_eq!(ContentPolicy::new().judge(None, false).content_type, OCTET_STREAM);
    }

    #[test]
    fn what_fetches_what_it_names_is_not_shown() {
        for playlist in [
            "audio/x-mpegurl",
            "audio/mpegurl; charset=utf-8",
            "Audio/X-MpegURL",
            "video/vnd.mpegurl",
            "application/vnd.apple.mpegurl",
            "audio/scpls",
            "audio/x-scpls",
            "audio/x-pls",
            "application/dash+xml",
            "video/vnd.mpeg.dash.mpd",
            "application/xspf+xml",
            "audio/x-ms-wax",
            "video/x-ms-asf",
            "video/x-ms-wvx",
            "audio/x-pn-realaudio",
            "video/x-smil",
            "audio/smil+xml",
            "image/x-unheard-of",
            "video/x-unheard-of",
        ] {
            let policy = ContentPolicy::new().inline_pdf();
            let judgement = policy.judge(Some(playlist), false);
            assert_eq!(judgement.content_type, playlist);
            assert!(judgement.inline.is_none(), "{playlist}");
            // The opt-out shows it, but not with the origin of a recording.
            let danger = ContentPolicy::new().danger_inline_active_content();
            let inline = danger.judge(Some(playlist), false).inline.expect("everything");
            assert!(inline.to_str().expect("ASCII").starts_with("sandbox; "), "{playlist}");
        }
        for recording in ["audio/x-wav", "audio/flac", "audio/x-flac", "video/quicktime", "video/x-matroska"]
        {
            assert!(ContentPolicy::new().judge(Some(recording), false).inline.is_some(), "{recording}");
        }
    }

    #[test]
    fn a_text_is_utf8_where_the_application_says_so() {
        let (silent, declared) = (ContentPolicy::new(), ContentPolicy::new().text_is_utf8());
        for (given, sent) in [
            ("text/plain", "text/plain; charset=utf-8"),
            ("text/csv", "text/csv; charset=utf-8"),
            ("TEXT/Plain", "TEXT/Plain; charset=utf-8"),
            ("text/markdown; variant=GFM", "text/markdown; variant=GFM; charset=utf-8"),
            ("text/plain; title=\"a; charset=b\"", "text/plain; title=\"a; charset=b\"; charset=utf-8"),
            ("text/html", "text/html; charset=utf-8"),
            ("text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1"),
            ("text/plain;CHARSET=\"shift_jis\"", "text/plain;CHARSET=\"shift_jis\""),
            ("text/plain; a=b; Charset=x", "text/plain; a=b; Charset=x"),
            ("text/javascript", "application/octet-stream"),
            ("application/json", "application/json"),
            ("application/xml", "application/xml"),
            ("image/png", "image/png"),
            ("textual/plain", "textual/plain"),
            ("text", "application/octet-stream"),
        ] {
            for (policy, utf8_text) in [(&declared, false), (&silent, true), (&declared, true)] {
                assert_eq!(policy.judge(Some(given), utf8_text).content_type, sent, "{given}");
            }
            let undeclared = if sent == OCTET_STREAM { sent } else { given };
            assert_eq!(silent.judge(Some(given), false).content_type, undeclared, "nothing is invented");
        }
    }

    #[test]
    fn a_long_media_type_is_sent_as_bytes() {
        let policy = ContentPolicy::new().danger_inline_active_content().text_is_utf8();
        let long = |length: usize| format!("text/plain; a={}", "x".repeat(length - 14));
        for (given, sent) in [
            (long(240), format!("{}; charset=utf-8", long(240))),
            (long(241), long(241)),
            (long(255), long(255)),
        ] {
            assert_eq!(policy.judge(Some(&given), false).content_type, sent);
            // A signed type is read once more.
            assert_eq!(policy.judge(Some(&sent), false).content_type, sent);
        }
        for too_long in [
            long(256),
            long(60_000),
            format!("text/plain; a=\"{}\"", " ".repeat(300)),
            format!("image/{}", "x".repeat(250)),
        ] {
            let judgement = policy.judge(Some(&too_long), false);
            assert_eq!(judgement.content_type, OCTET_STREAM, "{} bytes", too_long.len());
            assert!(judgement.inline.is_none());
        }
    }
}
