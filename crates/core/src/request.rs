//! [`RequestHead`]: the little of a request that delivery may see.

use http::header::{
    ACCEPT, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::Patience;

/// The header by which a reverse proxy proves that a request came through it.
pub const PROXY_PROOF: HeaderName = HeaderName::from_static("x-secure-download-proof");

/// The header by which an answer tells a reverse proxy's log its [`AuditId`](crate::AuditId), where a strategy is asked to.
pub const AUDIT_ID: HeaderName = HeaderName::from_static("x-secure-download-audit-id");

/// Method, `Range`, `If-*`, `Accept` and the proof of proxy of one request; nothing else gets through.
///
/// ```
/// use http::{Method, Request};
/// use secure_download_core::RequestHead;
///
/// let request = Request::get("/files/1").header("range", "bytes=0-9").header("cookie", "s=1").body(())?;
/// let head = RequestHead::new(request.method(), request.headers());
/// assert_eq!(head.method(), Method::GET);
/// assert_eq!(head.fields(http::header::RANGE).count(), 1);
/// assert_eq!(head.fields(http::header::COOKIE).count(), 0);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequestHead {
    method: Method,
    fields: Vec<(HeaderName, HeaderValue)>,
    patience: Patience,
}

impl RequestHead {
    /// Every field that delivery may see. Cookies and credentials are not among them.
    pub const VISIBLE: [HeaderName; 8] = [
        ACCEPT,
        IF_MATCH,
        IF_MODIFIED_SINCE,
        IF_NONE_MATCH,
        IF_RANGE,
        IF_UNMODIFIED_SINCE,
        RANGE,
        PROXY_PROOF,
    ];

    /// Takes from a request what delivery may see.
    #[must_use]
    pub fn new(method: &Method, headers: &HeaderMap) -> Self {
        // A constant would be built anew for each field.
        static VISIBLE: [HeaderName; 8] = RequestHead::VISIBLE;
        let fields = headers
            .iter()
            .filter(|(name, _)| VISIBLE.contains(name))
            .map(|(name, value)| {
                let mut value = value.clone();
                value.set_sensitive(*name == PROXY_PROOF);
                (name.clone(), value)
            })
            .collect();
        Self { method: method.clone(), fields, patience: Patience::default() }
    }

    /// Says how long the server lets this client stop reading: the adapters do, with the stall timeout of their servers.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// How long the client may stop reading, 60 seconds unless the server says otherwise.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// The request method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Every line of the named field, in order.
    pub fn fields(&self, name: HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.fields.iter().filter(move |(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The named field if it stands exactly once; `None` if it is absent or repeated.
    pub(crate) fn single(&self, name: HeaderName) -> Option<&HeaderValue> {
        let mut lines = self.fields(name);
        lines.next().filter(|_| lines.next().is_none())
    }

    /// Whether the named field stands at least once.
    pub(crate) fn has(&self, name: HeaderName) -> bool {
        self.fields(name).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_get_through() {
        let mut headers = HeaderMap::new();
        for name in ["cookie", "authorization", "proxy-authorization", "x-api-key", "x-accel-redirect"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("hush"));
        }
        for name in RequestHead::VISIBLE {
            headers.insert(name, HeaderValue::from_static("seen"));
        }
        let head = RequestHead::new(&Method::GET, &headers);
        assert_eq!(head.fields.len(), RequestHead::VISIBLE.len());
        assert!(RequestHead::VISIBLE.into_iter().all(|name| head.single(name).is_some()));
        let shown = format!("{head:?}");
        assert!(!shown.contains("hush"), "{shown}");
        assert_eq!(shown.matches("Sensitive").count(), 1, "the proof is not shown: {shown}");
    }
}
