//! What somebody tries who may not have a file.

use http::HeaderName;
use http::Method;

/// One request.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) method: Method,
    pub(super) fields: Vec<(HeaderName, &'static str)>,
}

const METHODS: [&str; 12] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "QUERY", "get",
];

/// Fields that change what is sent, where a careless application looks at them.
const FIELDS: [&[(&str, &str)]; 31] = [
    &[],
    &[("range", "bytes=0-")],
    &[("range", "bytes=0-0")],
    &[("range", "bytes=-1")],
    &[("range", "bytes=0-0,2-2")],
    &[("range", "bytes=99999999-")],
    &[("if-none-match", "*")],
    &[("if-match", "*")],
    &[("if-match", "\"x\"")],
    &[("if-modified-since", "Fri, 31 Dec 9999 23:59:59 GMT")],
    &[("if-modified-since", "Thu, 01 Jan 1970 00:00:01 GMT")],
    &[("if-unmodified-since", "Fri, 31 Dec 9999 23:59:59 GMT")],
    &[("if-unmodified-since", "Thu, 01 Jan 1970 00:00:01 GMT")],
    &[("if-range", "\"x\""), ("range", "bytes=0-0")],
    &[("if-range", "Fri, 31 Dec 9999 23:59:59 GMT"), ("range", "bytes=0-0")],
    &[("x-http-method-override", "GET")],
    &[("x-http-method-override", "HEAD")],
    &[("x-http-method", "GET")],
    &[("x-http-method", "HEAD")],
    &[("x-method-override", "GET")],
    &[("x-method-override", "HEAD")],
    &[("x-accel-redirect", "/_p/media/")],
    &[("x-store-path", "/"), ("x-store-query", "")],
    &[("x-sendfile-type", "X-Accel-Redirect"), ("x-accel-mapping", "/=/")],
    &[("x-secure-download-proof", "0123456789abcdef0123456789abcdef")],
    &[("x-original-url", "/"), ("x-rewrite-url", "/")],
    &[("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("forwarded", "for=127.0.0.1")],
    &[("x-forwarded-method", "GET"), ("x-original-method", "GET"), ("x-forwarded-uri", "/")],
    &[("x-forwarded-host", "localhost"), ("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/")],
    &[("purpose", "prefetch"), ("sec-purpose", "prefetch")],
    &[("accept", "application/json")],
];

/// Every method alone, and GET, HEAD and POST with each of the fields.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for name in METHODS {
        let Ok(method) = Method::from_bytes(name.as_bytes()) else { continue };
        let with_fields = matches!(name, "GET" | "HEAD" | "POST");
        for fields in FIELDS.iter().take(if with_fields { FIELDS.len() } else { 1 }) {
            let fields = fields.iter().map(|(name, value)| (HeaderName::from_static(name), *value)).collect();
            attempts.push(Attempt { method: method.clone(), fields });
        }
    }
    attempts
}
