//! [`DownloadListener`]: connections for slow readers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use secure_download_core::Patience;
use secure_download_tcp::{Connection, ListeningSocket, StallGuard, tune};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

/// A listener that is made for downloads, for [`serve`](crate::serve) or [`axum::serve`](fn@axum::serve).
///
/// - `TCP_NODELAY`, so that no answer waits for an acknowledgement.
/// - `TCP_NOTSENT_LOWAT`, so that the kernel does not hold megabytes for every slow reader. The send buffer itself stays
///   as large as fast readers need it.
/// - A [`StallGuard`], so that a client that stopped reading does not hold its connection for ever. It watches what is
///   written to the connection. Over HTTP/2 a stream whose own window stays closed writes nothing: [`serve`](crate::serve)
///   resets such streams, [`axum::serve`](fn@axum::serve) does not.
///
/// It does not watch how slowly a client sends its request; put a proxy in front, or a timeout around handlers that read
/// bodies.
///
/// Listens on TCP, on a Unix socket, or on a socket that systemd hands over:
///
/// ```no_run
/// use secure_download_axum::{DownloadListener, serve};
///
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// let listener = DownloadListener::bind("unix:/run/app.sock")?;
/// serve(listener, app).await
/// # }
/// ```
#[derive(Debug)]
pub struct DownloadListener {
    inner: Inner,
    stall_timeout: Duration,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl DownloadListener {
    /// Wraps a listener; clients may stall for 60 seconds.
    #[must_use]
    pub fn new(inner: TcpListener) -> Self {
        Self::of(Inner::Tcp(inner))
    }

    /// Listens on `ADDRESS:PORT`, `unix:PATH` or the socket that `systemd` hands over; see [`ListeningSocket::bind`].
    ///
    /// # Errors
    /// As [`ListeningSocket::bind`].
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn bind(address: &str) -> io::Result<Self> {
        ListeningSocket::bind(address)?.try_into()
    }

    fn of(inner: Inner) -> Self {
        Self { inner, stall_timeout: Patience::default().stall_timeout() }
    }

    /// How long a client may stop reading; see [`Patience`].
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.stall_timeout)
    }
}

impl From<TcpListener> for DownloadListener {
    fn from(listener: TcpListener) -> Self {
        Self::new(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for DownloadListener {
    fn from(listener: UnixListener) -> Self {
        Self::of(Inner::Unix(listener))
    }
}

impl TryFrom<ListeningSocket> for DownloadListener {
    type Error = io::Error;

    /// Hands the socket to the Tokio runtime.
    fn try_from(socket: ListeningSocket) -> io::Result<Self> {
        Ok(Self::of(match socket {
            ListeningSocket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Inner::Tcp(TcpListener::from_std(listener)?)
            }
            #[cfg(unix)]
            ListeningSocket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Inner::Unix(UnixListener::from_std(listener)?)
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }))
    }
}

impl Listener for DownloadListener {
    type Io = StallGuard;
    type Addr = PeerAddr;

    async fn accept(&mut self) -> (StallGuard, PeerAddr) {
        // axum's own listeners wait a second when descriptors run out, and go on.
        let (connection, peer) = match &mut self.inner {
            Inner::Tcp(listener) => {
                let (stream, peer) = Listener::accept(listener).await;
                (Connection::from(stream), PeerAddr::Tcp(peer))
            }
            #[cfg(unix)]
            Inner::Unix(listener) => {
                let (stream, _) = Listener::accept(listener).await;
                (Connection::from(stream), PeerAddr::Unix)
            }
        };
        // A socket that refuses an option still works: the peer may be gone already.
        let _ = tune(&connection);
        (StallGuard::new(connection, self.stall_timeout), peer)
    }

    fn local_addr(&self) -> io::Result<PeerAddr> {
        match &self.inner {
            Inner::Tcp(listener) => listener.local_addr().map(PeerAddr::Tcp),
            #[cfg(unix)]
            Inner::Unix(_) => Ok(PeerAddr::Unix),
        }
    }
}

/// Where a connection comes from, in [`ConnectInfo`](axum::extract::ConnectInfo).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerAddr {
    /// From a TCP address.
    Tcp(SocketAddr),
    /// Over a Unix socket: from a process of this machine, a proxy as a rule.
    Unix,
}

impl PeerAddr {
    /// The TCP address, if there is one.
    #[must_use]
    pub fn tcp(self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(address),
            Self::Unix => None,
        }
    }
}

impl Connected<IncomingStream<'_, DownloadListener>> for PeerAddr {
    fn connect_info(stream: IncomingStream<'_, DownloadListener>) -> Self {
        *stream.remote_addr()
    }
}
