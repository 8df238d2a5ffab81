//! [`names_its_host`]: RFC 9112 section 3.2.

use std::net::Ipv6Addr;

use http::Version;
use http::uri::Authority;

/// Whether a request names its host as its version asks. If not, the server answers 400 (RFC 9112 section 3.2).
///
/// HTTP/1.1 has exactly one `Host`, no request has two, and its value is an authority without user information, or empty. In
/// HTTP/2 the pseudo-header `:authority` takes its place. `hosts` are the values of all `Host` headers.
///
/// ```
/// use http::Version;
/// use secure_download_tcp::names_its_host;
///
/// assert!(names_its_host(Version::HTTP_11, [&b"files.example:8000"[..]]));
/// assert!(!names_its_host(Version::HTTP_11, []));
/// ```
pub fn names_its_host<'a>(version: Version, hosts: impl IntoIterator<Item = &'a [u8]>) -> bool {
    if version > Version::HTTP_11 {
        return true;
    }
    let mut hosts = hosts.into_iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version < Version::HTTP_11,
        (Some(host), None) => {
            host.is_empty() || Authority::try_from(host).is_ok_and(|host| is_host_and_port(&host))
        }
        (Some(_), Some(_)) => false,
    }
}

/// RFC 3986 section 3.2, without user information: [`Authority`] takes any text as a port, or between brackets.
fn is_host_and_port(authority: &Authority) -> bool {
    let text = authority.as_str();
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => ("", rest),
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port_is_fine = match port.strip_prefix(':') {
        Some(port) => {
            port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    !host.contains('@') && port_is_fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_1_1_has_exactly_one_host() {
        for (version, hosts, fine) in [
            (Version::HTTP_11, &["a"][..], true),
            (Version::HTTP_11, &["a.example:8000"], true),
            (Version::HTTP_11, &["[::1]:8000"], true),
            (Version::HTTP_11, &[""], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["a", "a"], false),
            (Version::HTTP_11, &["a b"], false),
            (Version::HTTP_11, &["a, b"], false),
            (Version::HTTP_11, &["u@a"], false),
            (Version::HTTP_11, &["u:1@a"], false),
            (Version::HTTP_11, &["a:"], true),
            (Version::HTTP_11, &["a:65535"], true),
            (Version::HTTP_11, &["a:65536"], false),
            (Version::HTTP_11, &["a:b"], false),
            (Version::HTTP_11, &["a:+1"], false),
            (Version::HTTP_11, &["[::1]"], true),
            (Version::HTTP_11, &["[::1]x"], false),
            (Version::HTTP_11, &["[abc]"], false),
            (Version::HTTP_11, &["a/b"], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["a"], true),
            (Version::HTTP_10, &["a", "b"], false),
            (Version::HTTP_2, &[], true),
        ] {
            let found = names_its_host(version, hosts.iter().map(|host| host.as_bytes()));
            assert_eq!(found, fine, "{version:?} {hosts:?}");
        }
    }
}
