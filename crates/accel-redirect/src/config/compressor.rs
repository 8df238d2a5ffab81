//! [`Compressor`]: modules that would compress files, to be turned off for them.

use std::fmt;
use std::str::FromStr;

use super::ProxyConfigError;
use crate::Dialect;

/// A compressor that a server loads as a module.
///
/// A server refuses the line that turns a module off which it does not have, so each must be named. What every server has
/// (`gzip` of nginx, `mod_deflate` and `mod_brotli` of Apache) is always off for files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compressor {
    /// nginx's `brotli`.
    Brotli,
    /// nginx's `brotli_static`, which sends `FILE.br` in place of a file.
    BrotliStatic,
    /// nginx's `zstd`.
    Zstd,
    /// nginx's `zstd_static`, which sends `FILE.zst` in place of a file.
    ZstdStatic,
    /// nginx's `gzip_static`, which sends `FILE.gz` in place of a file.
    GzipStatic,
    /// lighttpd's `mod_deflate`.
    Deflate,
}

impl Compressor {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Brotli, Self::BrotliStatic, Self::Zstd, Self::ZstdStatic, Self::GzipStatic, Self::Deflate];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "brotli",
            Self::BrotliStatic => "brotli-static",
            Self::Zstd => "zstd",
            Self::ZstdStatic => "zstd-static",
            Self::GzipStatic => "gzip-static",
            Self::Deflate => "deflate",
        }
    }

    /// The server that has it.
    pub(super) const fn server(self) -> Dialect {
        match self {
            Self::Deflate => Dialect::Lighttpd,
            _ => Dialect::Nginx,
        }
    }

    /// The statement that turns it off.
    pub(super) const fn off(self) -> &'static str {
        match self {
            Self::Brotli => "brotli off;",
            Self::BrotliStatic => "brotli_static off;",
            Self::Zstd => "zstd off;",
            Self::ZstdStatic => "zstd_static off;",
            Self::GzipStatic => "gzip_static off;",
            Self::Deflate => "deflate.mimetypes = ()",
        }
    }
}

impl FromStr for Compressor {
    type Err = ProxyConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name() == text)
            .ok_or_else(|| ProxyConfigError::UnknownCompressor { name: text.to_owned() })
    }
}

impl fmt::Display for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
