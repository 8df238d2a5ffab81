//! [`cookie_values`]: one cookie out of what a browser sends.

use http::HeaderMap;
use http::header::COOKIE;

/// The values of every cookie called `name`, in the order of the request (RFC 6265 section 5.4).
///
/// `Cookie` holds what every application and script of the domain and its parents has set, bytes above 127 and pairs without
/// `=` among it. None of that hides the cookie that the application looks for: each pair is read by itself, over all lines,
/// since HTTP/2 clients send several. Names are case-sensitive. A value that is not UTF-8 is left out; quotes are part of it.
///
/// ```
/// use http::HeaderMap;
/// use secure_download_core::cookie_values;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("cookie", http::HeaderValue::from_bytes(b"city=\xcele; session=s3cr3t; x")?);
/// assert_eq!(cookie_values(&headers, "session").next(), Some("s3cr3t"));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn cookie_values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        if found == name.as_bytes() { std::str::from_utf8(value).ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_cookie_is_found_beside_whatever_others_set() {
        for (lines, expected) in [
            (&[&b"s=1"[..]][..], &["1"][..]),
            (&[b"a=b; s=1"], &["1"]),
            (&[b" s = 1 ;a=b"], &["1"]),
            (&["city=Île; s=1; ü=ö".as_bytes()], &["1"]),
            (&[b"city=\xce\xff; s=1; \xfc"], &["1"]),
            (&[b"city=\xce", b"s=1", b"\xff"], &["1"]),
            (&[b"z; =; ;; =x; s=1"], &["1"]),
            (&[b"a=\"x; s=1"], &["1"]),
            (&[b"s=\"1\""], &["\"1\""]),
            (&[b"s=1; s=2", b"s=3"], &["1", "2", "3"]),
            (&[b"s=\xff; s=1"], &["1"]),
            (&[b"s="], &[""]),
            (&[b"s=a=b"], &["a=b"]),
            (&[b"s; S=1; ss=1; xs=1; s\xff=1; a=s=1"], &[]),
            (&[], &[]),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_bytes(line).expect("a value"));
            }
            assert_eq!(cookie_values(&headers, "s").collect::<Vec<_>>(), expected, "{lines:?}");
        }
    }
}
