//! Entity tags, RFC 9110 section 8.8.3.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;

/// An entity tag: an opaque validator of one version of a file.
///
/// ```
/// use secure_download_core::ETag;
///
/// let tag = ETag::strong("v7").ok_or("not an opaque tag")?;
/// assert_eq!(tag.to_string(), "\"v7\"");
/// assert_eq!(ETag::parse(b"W/\"v7\""), Some(ETag::weak("v7").ok_or("not an opaque tag")?));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag {
    weak: bool,
    opaque: Box<str>,
}

impl ETag {
    /// A strong tag: equal tags mean equal bytes. `None` if `opaque` holds a byte that RFC 9110 does not
    /// allow in a tag (anything but 0x21, 0x23 to 0x7E).
    #[must_use]
    pub fn strong(opaque: impl Into<Box<str>>) -> Option<Self> {
        Self::checked(false, opaque.into())
    }

    /// A weak tag: equal tags mean equivalent content, so ranges of it are never combined. `None` as for
    /// [`ETag::strong`].
    #[must_use]
    pub fn weak(opaque: impl Into<Box<str>>) -> Option<Self> {
        Self::checked(true, opaque.into())
    }

    /// Reads one entity tag in its wire form, `"..."` or `W/"..."`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (tag, rest) = Self::parse_prefix(text)?;
        rest.is_empty().then_some(tag)
    }

    /// Reads the entity tag that `text` starts with, and what follows it.
    pub(crate) fn parse_prefix(text: &[u8]) -> Option<(Self, &[u8])> {
        let (weak, quoted) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|&byte| byte == b'"')?;
        let (opaque, rest) = inner.split_at(end);
        // Tags with bytes above 0x7F exist (obs-text) but are never ours, so they may be passed over.
        let opaque = String::from_utf8_lossy(opaque);
        opaque
            .bytes()
            .all(|byte| byte == 0x21 || (0x23..=0x7e).contains(&byte) || byte >= 0x80)
            .then(|| (Self { weak, opaque: opaque.into() }, &rest[1..]))
    }

    fn checked(weak: bool, opaque: Box<str>) -> Option<Self> {
        let allowed = opaque.bytes().all(|byte| byte == 0x21 || (0x23..=0x7e).contains(&byte));
        allowed.then_some(Self { weak, opaque })
    }

    /// Whether this is a weak tag.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.weak
    }

    /// The same tag, weak: for content that may change while the tag stays.
    #[must_use]
    pub fn into_weak(self) -> Self {
        Self { weak: true, ..self }
    }

    /// Strong comparison, RFC 9110 section 8.8.3.2: both strong, and equal.
    #[must_use]
    pub fn strong_eq(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison, RFC 9110 section 8.8.3.2: equal, weak or not.
    #[must_use]
    pub fn weak_eq(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        let before: &[u8] = if self.weak { b"W/\"" } else { b"\"" };
        let mut value = Vec::with_capacity(before.len() + self.opaque.len() + 1);
        value.extend_from_slice(before);
        value.extend_from_slice(self.opaque.as_bytes());
        value.push(b'"');
        // Only visible ASCII got through the constructors; obs-text tags come from requests and are not sent.
        HeaderValue::from_maybe_shared(Bytes::from(value)).unwrap_or(HeaderValue::from_static("W/\"\""))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.weak { "W/" } else { "" };
        write!(f, "{prefix}\"{}\"", self.opaque)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_and_written_in_wire_form() {
        for (text, weak, opaque) in
            [("\"\"", false, ""), ("\"a\"", false, "a"), ("W/\"a\"", true, "a"), ("\"a,b\"", false, "a,b")]
        {
            let tag = ETag::parse(text.as_bytes()).expect(text);
            assert_eq!((tag.is_weak(), &*tag.opaque, tag.to_string().as_str()), (weak, opaque, text));
        }
        for bad in ["", "a", "\"a", "a\"", "w/\"a\"", "\"a\"b", "\"a b\"", "\"a\x7f\"", "W/a"] {
            assert_eq!(ETag::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ETag::strong("a\"b"), None);
        assert_eq!(ETag::strong("a b"), None);
        assert_eq!(ETag::weak("é"), None);
    }

    #[test]
    fn the_comparison_table_of_rfc_9110_section_8_8_3_2() {
        let (strong, weak) = (|tag| ETag::strong(tag).expect("valid"), |tag| ETag::weak(tag).expect("valid"));
        for (one, two, strongly, weakly) in [
            (weak("1"), weak("1"), false, true),
            (weak("1"), weak("2"), false, false),
            (weak("1"), strong("1"), false, true),
            (strong("1"), strong("1"), true, true),
        ] {
            assert_eq!((one.strong_eq(&two), one.weak_eq(&two)), (strongly, weakly), "{one} {two}");
        }
    }
}
