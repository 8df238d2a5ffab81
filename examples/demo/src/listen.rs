//! [`Listen`]: where the command line wants the demo to listen.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::str::FromStr;

/// The value of `--listen`. Its text is what the library's `ListeningSocket::bind` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
    /// The socket that systemd hands over.
    Systemd,
}

impl Listen {
    /// Whether other machines reach it, as far as the text tells.
    pub(crate) fn is_reachable_from_outside(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().to_canonical().is_loopback())
    }

    /// Whether the socket outlives this process: systemd keeps it open for the next one.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        *self == Self::Systemd
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("expected unix:PATH".to_owned()),
            Some(path) => Ok(Self::Unix(path.into())),
            None if text == "systemd" => Ok(Self::Systemd),
            None => resolve(text).map(Self::Tcp),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd => f.write_str("systemd"),
        }
    }
}

/// The first address of `HOST:PORT`.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, String> {
    text.to_socket_addrs()
        .map_err(|error| format!("expected HOST:PORT ({error})"))?
        .next()
        .ok_or_else(|| "the host has no address".to_owned())
}
