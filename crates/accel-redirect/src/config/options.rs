//! Options of a [`ProxyConfig`] beside its two addresses.

use std::net::SocketAddr;
use std::path::Path;

use super::{Compressor, IpRange, ProxyConfig, ProxyConfigError, address, caddy};
use crate::mapping::{checked_folder, checked_location};
use crate::{Dialect, MappingError};

impl ProxyConfig<'_> {
    /// A host name of the site. Requests for other names go to other sites. May be called for each name.
    ///
    /// # Errors
    /// [`ProxyConfigError::Name`] if it is not a host name.
    pub fn server_name(mut self, name: impl AsRef<str>) -> Result<Self, ProxyConfigError> {
        let name = name.as_ref();
        // Servers compare names as clients send them: without the dot of the root.
        self.names.push(address::checked_name(name.strip_suffix('.').unwrap_or(name))?);
        Ok(self)
    }

    /// A DNS server with which nginx looks the application's name up again while it runs, such as 127.0.0.11:53 in a
    /// container. Without it nginx looks the name up when it starts, in `/etc/hosts` too. The other servers ignore it.
    #[must_use]
    pub fn app_resolver(mut self, server: SocketAddr) -> Self {
        self.app_resolver = Some(server);
        self
    }

    /// A proxy or TLS terminator directly before this proxy, by the addresses from which it connects. May be called for each.
    ///
    /// From such a hop the application gets the visitor's address (the last one in the hop's `X-Forwarded-For`), the scheme
    /// (`X-Forwarded-Proto`). From every other peer it gets the peer's own address and the scheme of the connection. The host
    /// is always that of `Host`, which the hop passes on: many hops leave the visitor's `X-Forwarded-Host` in place.
    ///
    /// The hop must set `X-Forwarded-For` and `X-Forwarded-Proto` in place of the visitor's. nginx before 1.23 sees only the
    /// first of two lines `X-Forwarded-Proto`.
    #[must_use]
    pub fn trusted_hop(mut self, range: impl Into<IpRange>) -> Self {
        self.hops.push(range.into());
        self
    }

    /// The application lives below this path, such as `/share`. The proxy strips it and sends it as `X-Forwarded-Prefix`; what
    /// lies elsewhere is 404.
    ///
    /// # Errors
    /// [`ProxyConfigError::Prefix`] if the path would need quoting, [`ProxyConfigError::Overlap`] if it is, contains or lies
    /// beneath an internal location.
    pub fn path(mut self, path: impl AsRef<str>) -> Result<Self, ProxyConfigError> {
        let path = path.as_ref();
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = checked_location(path).map_err(|_| ProxyConfigError::Prefix { path: path.to_owned() })?;
        if self.overlaps(&path) {
            return Err(ProxyConfigError::Overlap { path: path.into() });
        }
        self.path = Some(path);
        Ok(self)
    }

    /// The server has this compressor: files are sent without it. See [`Compressor`].
    ///
    /// # Errors
    /// [`ProxyConfigError::Compressor`] if the server cannot have it.
    pub fn compressor(mut self, compressor: Compressor) -> Result<Self, ProxyConfigError> {
        if compressor.server() != self.dialect {
            let (compressor, server) = (compressor.name(), self.dialect.name());
            return Err(ProxyConfigError::Compressor { compressor, server });
        }
        if !self.compressors.contains(&compressor) {
            self.compressors.push(compressor);
        }
        Ok(self)
    }

    /// Requests are logged to this file, with paths up to their first segment of 40 bytes or more and without queries, so that
    /// tokens of links and signatures stay out of it. Without it a site logs no request, whatever the server's own log.
    ///
    /// # Errors
    /// [`ProxyConfigError::Path`] if the file's path cannot be quoted safely or is not absolute.
    pub fn access_log(mut self, file: impl AsRef<Path>) -> Result<Self, ProxyConfigError> {
        let file = checked_folder(file.as_ref()).map_err(|error| match error {
            MappingError::Folder { folder, problem } => ProxyConfigError::Path { path: folder, problem },
            _ => ProxyConfigError::Path { path: String::new(), problem: "cannot be quoted" },
        })?;
        self.access_log = Some(file);
        Ok(self)
    }

    /// Caddy is new enough to cut clients that take nothing (2.11): it does after a minute. Older versions refuse the line.
    #[must_use]
    pub fn idle_limits(mut self) -> Self {
        self.idle_limits = true;
        self
    }

    /// Options for the whole server, beside all its sites: for Caddy, whose site files cannot have them. The text is to be
    /// imported at the beginning of the Caddyfile: `{`, `import server-wide.caddy`, `}`. The other servers have none.
    ///
    /// They keep secrets out of Caddy's own log, and cut clients whose head never comes and connections that are idle.
    #[must_use]
    pub fn server_wide(&self) -> Option<String> {
        (self.dialect == Dialect::Caddy).then(|| caddy::server_wide(self))
    }
}
