//! [`ProxyConfigError`].

/// Why a value cannot stand in a rendered configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyConfigError {
    /// The application's address has none of the three forms.
    #[error("the application's address {address:?} is not HOST:PORT, a port, or unix:/PATH")]
    App {
        /// The address.
        address: String,
    },
    /// The address to listen on has neither form.
    #[error("the address {address:?} to listen on is not a port, or an IP address and a port")]
    Listen {
        /// The address.
        address: String,
    },
    /// A host name has characters or a form that host names do not have.
    #[error("{name:?} is not a host name: give letters, digits, `-`, `_` and dots (xn-- form for others)")]
    Name {
        /// The name.
        name: String,
    },
    /// A path on the proxy's machine has characters that one of the servers would interpret.
    #[error("the path {path:?} {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The URL path of the application would need quoting.
    #[error("the path {path:?} is not of the form /name or /name/name of A-Z a-z 0-9 - . _ ~")]
    Prefix {
        /// The path.
        path: String,
    },
    /// The URL path of the application overlaps an internal location.
    #[error("the path {path:?} overlaps an internal location: choose another name for one of the two")]
    Overlap {
        /// The path.
        path: String,
    },
    /// A range of addresses cannot be read.
    #[error("{range:?} is not an IP address or a range such as 10.0.0.0/8 or fd00::/8")]
    Range {
        /// The range.
        range: String,
    },
    /// A range that contains every address would trust every client.
    #[error("the range {range} contains every address: name the addresses of the hop")]
    Everyone {
        /// The range.
        range: String,
    },
    /// The server does not have this compressor.
    #[error("{server} does not have the compressor {compressor}")]
    Compressor {
        /// The compressor.
        compressor: &'static str,
        /// The server.
        server: &'static str,
    },
    /// The compressor is unknown.
    #[error(
        "unknown compressor {name:?}: expected brotli, brotli-static, zstd, zstd-static, gzip-static or deflate"
    )]
    UnknownCompressor {
        /// The name.
        name: String,
    },
}
