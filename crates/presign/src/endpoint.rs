//! Addresses of servers.

use http::Uri;

/// Scheme and authority as a browser would write them: lower case, without the scheme's own port.
pub(crate) fn parse(endpoint: &str) -> Option<(&'static str, String)> {
    let uri: Uri = endpoint.parse().ok()?;
    let (scheme, own_port) = match uri.scheme_str()? {
        "https" => ("https", 443),
        "http" => ("http", 80),
        _ => return None,
    };
    let authority = uri.authority()?;
    let plain = !authority.as_str().contains(['@', '%']) && !authority.host().is_empty();
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !endpoint.contains('#');
    if !plain || !bare {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    match authority.as_str().strip_prefix(authority.host())? {
        "" => Some((scheme, host)),
        port => match port.strip_prefix(':')?.parse::<u16>().ok()? {
            port if port == own_port => Some((scheme, host)),
            port => Some((scheme, format!("{host}:{port}"))),
        },
    }
}

#[cfg(feature = "s3")]
/// Whether a text can stand in signatures and hosts as a region.
pub(crate) fn is_region(region: &str) -> bool {
    !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
