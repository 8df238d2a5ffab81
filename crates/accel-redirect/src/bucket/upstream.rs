//! [`BucketUpstream`]: the one server that the proxy fetches from.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use http::Uri;

use crate::mapping::{MappingError, checked_folder, checked_location};

/// The one server that the proxy fetches granted files from, and the internal location that stands for it. Never taken from
/// a request.
///
/// The origin is scheme, host and port of the signed URLs; the path of an endpoint may stand behind it and is not looked at: `https://scans.s3.eu-central-1.amazonaws.com` for a bucket with a host of its own,
/// `https://s3.example` for one in path style.
///
/// ```
/// use secure_download_accel_redirect::BucketUpstream;
///
/// let bucket = BucketUpstream::new("/_bucket", "https://scans.s3.eu-central-1.amazonaws.com")?
///     .resolver("127.0.0.53:53".parse()?);
/// assert_eq!(bucket.origin(), "https://scans.s3.eu-central-1.amazonaws.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BucketUpstream {
    location: Box<str>,
    /// Scheme, `://`, authority.
    origin: Box<str>,
    host: Box<str>,
    port: u16,
    tls: bool,
    trusted: Option<Box<str>>,
    resolvers: Vec<SocketAddr>,
}

impl BucketUpstream {
    /// A server that is reached by TLS; one on this machine may go without. The location is a path such as `/_bucket`, as
    /// [`Root::new`](crate::Root::new) describes it.
    ///
    /// # Errors
    /// [`BucketUpstreamError`] says what is wrong with the location or the origin.
    pub fn new(location: impl AsRef<str>, origin: impl AsRef<str>) -> Result<Self, BucketUpstreamError> {
        let upstream = Self::without_tls(location, origin)?;
        let here = upstream.host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if upstream.tls || here || &*upstream.host == "localhost" {
            Ok(upstream)
        } else {
            Err(BucketUpstreamError::Plain)
        }
    }

    /// The same for a server that may also be reached without TLS: whoever is on the way then reads every file and
    /// every signed URL.
    ///
    /// # Errors
    /// [`BucketUpstreamError`] says what is wrong with the location or the origin.
    pub fn without_tls(
        location: impl AsRef<str>,
        origin: impl AsRef<str>,
    ) -> Result<Self, BucketUpstreamError> {
        let location = checked_location(location.as_ref())?;
        let (tls, host, port) = parse(origin.as_ref()).ok_or(BucketUpstreamError::Origin)?;
        if tls && host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return Err(BucketUpstreamError::NoName);
        }
        let (scheme, own_port) = if tls { ("https", 443) } else { ("http", 80) };
        let authority = if port == own_port { host.clone() } else { format!("{host}:{port}") };
        Ok(Self {
            location,
            origin: format!("{scheme}://{authority}").into(),
            host: host.into(),
            port,
            tls,
            trusted: None,
            resolvers: Vec::new(),
        })
    }

    /// The authorities whose certificates the proxy accepts for this server: a PEM file on the proxy's machine. Without it
    /// those of the system.
    ///
    /// # Errors
    /// [`BucketUpstreamError::Name`] if the file's name cannot be quoted safely.
    pub fn trusted(mut self, file: impl AsRef<Path>) -> Result<Self, BucketUpstreamError> {
        self.trusted = Some(checked_folder(file.as_ref())?);
        Ok(self)
    }

    /// A name server that the proxy asks, again and again, where this server is. nginx needs one, since it does not
    /// read `/etc/resolv.conf` ([`BucketUpstream::system_resolvers`]); Caddy asks the system's without one. May be repeated.
    #[must_use]
    pub fn resolver(mut self, address: SocketAddr) -> Self {
        self.resolvers.push(address);
        self
    }

    /// The name servers that this machine's `/etc/resolv.conf` lists, if it does.
    #[must_use]
    pub fn system_resolvers(mut self) -> Self {
        self.resolvers.extend(name_servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default()));
        self
    }

    /// The internal location.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Scheme, host and, unless it is the scheme's own, port.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What requests for this server have as `Host`.
    pub(crate) fn authority(&self) -> &str {
        &self.origin[if self.tls { "https://".len() } else { "http://".len() }..]
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    pub(crate) fn trusted_file(&self) -> Option<&str> {
        self.trusted.as_deref()
    }

    pub(crate) fn resolvers(&self) -> &[SocketAddr] {
        &self.resolvers
    }

    /// Whether the host is a name, which somebody has to look up.
    pub(crate) fn is_name(&self) -> bool {
        self.host.trim_matches(['[', ']']).parse::<IpAddr>().is_err()
    }
}

/// Those of a `resolv.conf`.
fn name_servers(text: &str) -> impl Iterator<Item = SocketAddr> {
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok());
    servers.map(|address: IpAddr| SocketAddr::new(address, 53))
}

/// Whether it is `https`, host in lower case, port.
fn parse(origin: &str) -> Option<(bool, String, u16)> {
    let uri: Uri = origin.parse().ok()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = uri.authority()?;
    // A path is the signed URLs' own.
    let bare = uri.query().is_none() && !origin.contains(['#', '@']);
    let host = authority.host().to_ascii_lowercase();
    let name = !host.is_empty()
        && !host.starts_with(['.', '-'])
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let address = host.starts_with('[') && host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if !bare || !(name || address) {
        return None;
    }
    let port = match authority.as_str().strip_prefix(authority.host())? {
        "" if tls => 443,
        "" => 80,
        port => port.strip_prefix(':')?.parse().ok()?,
    };
    Some((tls, host, port))
}

/// Why a bucket cannot be put behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketUpstreamError {
    /// The location, or the name of a file, is not plain.
    #[error(transparent)]
    Name(#[from] MappingError),
    /// The origin is not scheme, host and port.
    #[error("the origin is `https://HOST`, with `:PORT` if need be")]
    Origin,
    /// Files and signed URLs would cross the network unprotected.
    #[error("without TLS everybody on the way reads the files: use https, or `BucketUpstream::without_tls`")]
    Plain,
    /// A certificate cannot be verified for an address.
    #[error("a certificate is verified for a name: give the server's name, not its address")]
    NoName,
    /// Only nginx and Caddy are known to fetch safely.
    #[error("only nginx and Caddy can fetch from a bucket: stream from it behind the other proxies")]
    Dialect,
    /// nginx looks a name up only once, when it starts, unless it is told whom to ask.
    #[error("nginx needs a name server to follow the bucket's addresses: give the one in /etc/resolv.conf")]
    Resolver,
    /// Two locations overlap.
    #[error("the location {location:?} overlaps another")]
    Overlap {
        /// The later one.
        location: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_kept_as_urls_are_signed() {
        for (origin, kept, host, port) in [
            ("https://B.s3.example", "https://b.s3.example", "b.s3.example", 443),
            ("https://s3.example:443/", "https://s3.example", "s3.example", 443),
            ("https://s3.example:9000", "https://s3.example:9000", "s3.example", 9000),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "127.0.0.1", 9000),
            ("http://[::1]:80", "http://[::1]", "[::1]", 80),
            ("http://localhost", "http://localhost", "localhost", 80),
            ("https://x.example/storage/v1/s3", "https://x.example", "x.example", 443),
        ] {
            let upstream = BucketUpstream::new("/_bucket", origin).expect(origin);
            assert_eq!((upstream.origin(), upstream.host(), upstream.port()), (kept, host, port));
            assert!(kept.ends_with(upstream.authority()));
        }
    }

    #[test]
    fn name_servers_are_those_that_are_listed() {
        let text = "# nameserver 9.9.9.9\nsearch example\nnameserver 127.0.0.53\nnameserver\t::1\nnameserver x\noptions edns0\n";
        let servers: Vec<_> = name_servers(text).map(|server| server.to_string()).collect();
        assert_eq!(servers, ["127.0.0.53:53", "[::1]:53"]);
    }

    #[test]
    fn what_cannot_be_verified_or_quoted_is_refused() {
        use BucketUpstreamError::{NoName, Origin, Plain};
        for (origin, error) in [
            ("", Origin),
            ("s3.example", Origin),
            ("ftp://s3.example", Origin),
            ("https://user@s3.example", Origin),
            ("https://s3.example?x", Origin),
            ("https://s3.example:x", Origin),
            ("https://s3;example", Origin),
            ("https://$host", Origin),
            ("https://.s3.example", Origin),
            ("http://s3.example", Plain),
            ("http://10.0.0.1:9000", Plain),
            ("https://10.0.0.1:9000", NoName),
            ("https://[::1]", NoName),
        ] {
            assert_eq!(BucketUpstream::new("/_bucket", origin).err(), Some(error), "{origin}");
        }
        assert!(BucketUpstream::without_tls("/_bucket", "http://10.0.0.1:9000").is_ok());
        assert!(matches!(
            BucketUpstream::new("_bucket", "https://s3.example"),
            Err(BucketUpstreamError::Name(MappingError::Location { .. }))
        ));
    }
}
