//! [`DownloadListener`]: TCP for slow readers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use secure_download_tcp::{STALL_TIMEOUT, StallGuard, tune};
use tokio::net::TcpListener;

/// A listener for [`axum::serve`](fn@axum::serve) that is made for downloads.
///
/// - `TCP_NODELAY`, so that no answer waits for an acknowledgement.
/// - `TCP_NOTSENT_LOWAT`, so that the kernel does not hold megabytes for every slow reader. The send buffer itself stays
///   as large as fast readers need it.
/// - A [`StallGuard`], so that a client that stopped reading does not hold its connection for ever. It watches what is
///   written to the connection: over HTTP/2, a stream whose own window stays closed is not noticed. And it does not watch
///   how slowly a client sends its request; put a proxy in front, or a timeout around handlers that read bodies.
///
/// ```no_run
/// use secure_download_axum::DownloadListener;
/// use tokio::net::TcpListener;
///
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// let listener = DownloadListener::new(TcpListener::bind("127.0.0.1:8000").await?);
/// axum::serve(listener, app).await
/// # }
/// ```
#[derive(Debug)]
pub struct DownloadListener {
    inner: TcpListener,
    stall_timeout: Duration,
}

impl DownloadListener {
    /// Wraps a listener; clients may stall for 60 seconds.
    #[must_use]
    pub fn new(inner: TcpListener) -> Self {
        Self { inner, stall_timeout: STALL_TIMEOUT }
    }

    /// How long a client may stop reading; see [`StallGuard`].
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }
}

impl Listener for DownloadListener {
    type Io = StallGuard;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (StallGuard, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.inner).await;
        // A socket that refuses an option still works: the peer may be gone already.
        let _ = tune(&stream);
        (StallGuard::new(stream, self.stall_timeout), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// The peer's address, for `into_make_service_with_connect_info::<PeerAddr>()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl Connected<IncomingStream<'_, DownloadListener>> for PeerAddr {
    fn connect_info(stream: IncomingStream<'_, DownloadListener>) -> Self {
        Self(*stream.remote_addr())
    }
}
