//! [`Dialect`]: by which header a proxy is told to send a file, and what it makes of the rest of the answer.

mod apache;
mod caddy;
mod lighttpd;
mod nginx;

use std::fmt;
use std::str::FromStr;

use http::HeaderName;

use crate::mapping::Root;

/// Names a file within an internal location.
pub(crate) const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// Names a file by its path on the proxy's machine.
pub(crate) const X_SENDFILE: HeaderName = HeaderName::from_static("x-sendfile");

/// Bytes per second, nginx only.
pub(crate) const X_ACCEL_LIMIT_RATE: HeaderName = HeaderName::from_static("x-accel-limit-rate");

/// Path and query of a signed URL, for the proxy that fetches from a bucket.
pub(crate) const STORE_PATH: HeaderName = HeaderName::from_static("x-store-path");
pub(crate) const STORE_QUERY: HeaderName = HeaderName::from_static("x-store-query");

/// Every header by which a proxy is told something that no client may see.
pub(crate) const HAND_OFF: [HeaderName; 5] =
    [X_ACCEL_REDIRECT, X_SENDFILE, X_ACCEL_LIMIT_RATE, STORE_PATH, STORE_QUERY];

/// The proxy that the application is behind. Chosen when the application starts, never by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// nginx, `X-Accel-Redirect`.
    Nginx,
    /// Caddy 2, `X-Accel-Redirect` as the rendered configuration reads it.
    Caddy,
    /// Apache httpd with `mod_xsendfile`, `X-Sendfile`.
    Apache,
    /// lighttpd, `X-Sendfile`.
    Lighttpd,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Nginx, Self::Caddy, Self::Apache, Self::Lighttpd];

    /// The proxy's name in lower case, as [`FromStr`] reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rules().name
    }

    /// The header that hands a file off.
    #[must_use]
    pub fn header(self) -> HeaderName {
        self.rules().header.clone()
    }

    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            Self::Nginx => &nginx::RULES,
            Self::Caddy => &caddy::RULES,
            Self::Apache => &apache::RULES,
            Self::Lighttpd => &lighttpd::RULES,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name).ok_or(UnknownDialect)
    }
}

/// No proxy of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected nginx, caddy, apache or lighttpd")]
pub struct UnknownDialect;

/// What one proxy asks of the application.
pub(crate) struct Rules {
    pub(crate) name: &'static str,
    pub(crate) header: HeaderName,
    /// How the proxy names a root.
    pub(crate) names: fn(&Root) -> &str,
    /// The longest header value that it takes, in bytes.
    pub(crate) longest: usize,
    /// How it is told a transfer rate, if it can limit one.
    pub(crate) rate: Option<HeaderName>,
    /// Whether the client sees the application's own entity tag, or one that the proxy makes.
    pub(crate) keeps_etag: bool,
}
