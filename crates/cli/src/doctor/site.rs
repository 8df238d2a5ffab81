//! [`Site`]: the URL of an examination, in its parts.

use http::Uri;

/// Scheme, authority and path that clients use.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// Scheme, `://`, authority.
    origin: String,
    /// Empty, or a path without a slash at its end.
    path: String,
    authority: String,
    host: String,
    port: u16,
    tls: bool,
}

impl Site {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let wrong = || format!("{url:?} is no URL of the form http://HOST:PORT/PATH or https://HOST");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (scheme, tls) = match uri.scheme_str() {
            Some("http") => ("http", false),
            Some("https") => ("https", true),
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.query().is_some() || authority.as_str().contains('@') || url.contains('#') {
            return Err(wrong());
        }
        Ok(Self {
            origin: format!("{scheme}://{authority}"),
            path: uri.path().trim_end_matches('/').to_owned(),
            authority: authority.to_string(),
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
        })
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The value of `Host`.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls
    }

    /// Paths under which clients may ask for `path`: at the server's root, and below the application's own path.
    pub(super) fn places(&self, path: &str) -> Vec<String> {
        let mut places = vec![path.to_owned()];
        if !self.path.is_empty() {
            places.push(format!("{}{path}", self.path));
        }
        places
    }
}
