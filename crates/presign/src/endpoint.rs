//! Addresses of servers.

use http::Uri;

/// An address of a server that may stand below a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) scheme: &'static str,
    /// As a browser would write it: lower case, without the scheme's own port.
    pub(crate) authority: String,
    /// Empty, or it begins with `/` and does not end with one.
    pub(crate) path: String,
}

/// An address, whose path has no character that signatures and clients could write in two ways.
pub(crate) fn parse(endpoint: &str) -> Option<Endpoint> {
    let uri: Uri = endpoint.parse().ok()?;
    let (scheme, own_port) = match uri.scheme_str()? {
        "https" => ("https", 443),
        "http" => ("http", 80),
        _ => return None,
    };
    let authority = uri.authority()?;
    let plain = !authority.as_str().contains(['@', '%']) && !authority.host().is_empty();
    let path = uri.path().strip_suffix('/').unwrap_or(uri.path());
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    let simple = path.split('/').skip(1).all(segment) && uri.query().is_none() && !endpoint.contains('#');
    if !plain || !simple {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    let authority = match authority.as_str().strip_prefix(authority.host())? {
        "" => host,
        port => match port.strip_prefix(':')?.parse::<u16>().ok()? {
            port if port == own_port => host,
            port => format!("{host}:{port}"),
        },
    };
    Some(Endpoint { scheme, authority, path: path.to_owned() })
}

#[cfg(feature = "s3")]
/// Whether a text can stand in signatures and hosts as a region.
pub(crate) fn is_region(region: &str) -> bool {
    !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
