//! [`PublicUrl`]: where browsers find the demo, when a proxy stands before it.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use http::Uri;
use http::uri::Authority;

use crate::host;

/// The value of `--public-url`: scheme, host, port, and the path that the proxy strips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    https: bool,
    authority: Authority,
    /// Empty, or `/` and segments, without a slash at the end.
    path: String,
}

impl PublicUrl {
    /// Whether browsers come by HTTPS.
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// Whether only browsers of this machine find it.
    pub(crate) fn is_loopback(&self) -> bool {
        host::is_loopback(self.authority.as_str())
    }

    /// Whether a browser calls a page of this site so in `Origin` (RFC 6454 section 7).
    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        let scheme = if self.https { "https" } else { "http" };
        let own_scheme = origin.parse::<Uri>().is_ok_and(|origin| origin.scheme_str() == Some(scheme));
        own_scheme && host::is_origin_of(origin, self.authority.as_str())
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected http://HOST or https://HOST, with a port and a path where there are any";
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(EXPECTED.to_owned()),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = path.trim_end_matches('/');
        // What neither HTML nor a header nor a proxy reads in another way: RFC 3986 section 2.3, without dot segments.
        let is_plain = |segment: &str| {
            let mut bytes = segment.bytes();
            !matches!(segment, "" | "." | "..")
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
        };
        if !path.split('/').skip(1).all(is_plain) {
            return Err(
                "its path has letters, digits, `-`, `.`, `_` and `~` between single slashes".to_owned()
            );
        }
        let authority: Authority = authority.parse().map_err(|_| EXPECTED)?;
        let behind_host = authority.as_str().strip_prefix(authority.host());
        let bad_port = behind_host != Some("") && authority.port_u16().is_none();
        if host::name(authority.as_str()).is_none() || bad_port {
            return Err(EXPECTED.to_owned());
        }
        Ok(Self { https, authority, path: path.to_owned() })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// The path of the public address; set once, when the site opens.
static BASE: OnceLock<String> = OnceLock::new();

/// Lets links and redirections of this program begin with the path of the public address.
pub(crate) fn live_at(url: &PublicUrl) {
    // A second site in the same program keeps the first one's path.
    let _ = BASE.set(url.path.clone());
}

/// Stands before every path that a browser is given. Empty without `--public-url`, or if that has no path.
pub(crate) fn base() -> &'static str {
    BASE.get().map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_the_browser_is_taken_or_refused() {
        for (text, shown) in [
            ("https://files.example.org/share", "https://files.example.org/share"),
            ("https://files.example.org/share/", "https://files.example.org/share"),
            ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
            ("HTTP://[::1]:8080/", "http://[::1]:8080"),
            ("http://localhost/a/b.c/~d_e-f", "http://localhost/a/b.c/~d_e-f"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().expect(text).to_string(), shown);
        }
        for bad in [
            "",
            "files.example.org",
            "//files.example.org",
            "ftp://files.example.org",
            "https://",
            "https:///share",
            "https://:443",
            "https://user@files.example.org",
            "https://files.example.org:99999",
            "https://files.example.org:x",
            "https://files.example.org?a",
            "https://files.example.org/#a",
            "https://files.example.org/a?b",
            "https://files.example.org//share",
            "https://files.example.org/a//b",
            "https://files.example.org/a/../b",
            "https://files.example.org/a%20b",
            "https://files.example.org/\"><script>",
            "https://files.example.org/a;b",
            "https://files example.org/",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_its_own_origin_is_its_origin() {
        for (url, origin, own) in [
            ("https://files.example/share", "https://files.example", true),
            ("https://files.example:443", "https://FILES.example", true),
            ("https://files.example", "https://files.example:443", true),
            ("http://files.example:8080", "http://files.example:8080", true),
            ("https://files.example", "http://files.example", false),
            ("http://files.example:443", "https://files.example", false),
            ("https://files.example", "https://files.example:8443", false),
            ("https://files.example", "https://files.example.evil.example", false),
            ("https://files.example", "null", false),
            ("https://files.example", "", false),
        ] {
            assert_eq!(url.parse::<PublicUrl>().expect(url).is_origin(origin), own, "{url} {origin}");
        }
    }
}
