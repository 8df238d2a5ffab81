//! [`Answer`]: one response as a client saw it.

use http::{HeaderMap, StatusCode};

/// Status, header fields in order of arrival, and body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Every field line.
    pub headers: HeaderMap,
    /// Exactly what came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a field that stands exactly once.
    ///
    /// # Panics
    /// If it stands more than once or is not ASCII.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.get_all(name).iter();
        let value = lines.next().map(|value| value.to_str().expect("ASCII"));
        assert!(lines.next().is_none(), "{name} stands twice");
        value
    }

    /// The parts of a `multipart/byteranges` body: `Content-Type`, `Content-Range` and bytes of each. Reads the framing
    /// strictly, and on its own: nothing here knows how it was written.
    ///
    /// # Panics
    /// If the body is not exactly such a multipart.
    #[must_use]
    pub fn byteranges(&self) -> Vec<(String, String, Vec<u8>)> {
        let content_type = self.field("content-type").expect("a content type");
        let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").expect("byteranges");
        assert!(!boundary.is_empty() && boundary.len() <= 70, "RFC 2046 section 5.1.1");
        let mut rest = self.body.strip_prefix(b"--").expect("the first delimiter");
        let delimiter = format!("\r\n--{boundary}");
        rest = rest.strip_prefix(boundary.as_bytes()).expect("the boundary");
        let mut parts = Vec::new();
        while rest != b"--\r\n" {
            rest = rest.strip_prefix(b"\r\n").expect("a line end behind the delimiter");
            let end = find(rest, b"\r\n\r\n").expect("the end of the part's head");
            let head = std::str::from_utf8(&rest[..end]).expect("ASCII");
            rest = &rest[end + 4..];
            let mut fields = head.split("\r\n");
            let media_type = fields.next().and_then(|line| line.strip_prefix("Content-Type: "));
            let range = fields.next().and_then(|line| line.strip_prefix("Content-Range: "));
            assert!(fields.next().is_none(), "{head}");
            let end = find(rest, delimiter.as_bytes()).expect("the next delimiter");
            let text = |field: Option<&str>| field.expect("both fields").to_owned();
            parts.push((text(media_type), text(range), rest[..end].to_vec()));
            rest = &rest[end + delimiter.len()..];
        }
        parts
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
