//! [`serve`]: HTTP for thousands of slow readers.

mod app;
mod connection;
mod http2;
mod prefixed;
mod streams;

use std::convert::Infallible;
use std::fmt;
use std::future::{IntoFuture, pending};
use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener as _;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use self::app::App;
use self::connection::{Settings, Stage};
use crate::DownloadListener;

/// Serves an app over HTTP/1.1 and HTTP/2 (with prior knowledge, RFC 9113 section 3.3). Takes the place of
/// [`axum::serve`](fn@axum::serve): made for downloads, and careful with clients.
///
/// | client | is answered with |
/// |---|---|
/// | stops reading for longer than [`Patience`](secure_download_core::Patience) allows | its connection is reset, over HTTP/2 the one stream |
/// | sends no request, or no whole head of one, for a minute | its connection is closed |
/// | sends HTTP/1.1 without `Host`, with two, or with one that is not an authority | 400 (RFC 9112 section 3.2) |
/// | sends a head of more than 16 KiB | 431 |
/// | closes its sending side after the request | its answer |
///
/// A connection holds a third less than with [`axum::serve`](fn@axum::serve): the largest buffer is 16 KiB instead of 400. When
/// the process runs out of descriptors, the server waits a second and goes on. [`ConnectInfo`](axum::extract::ConnectInfo) of
/// [`PeerAddr`](crate::PeerAddr) is in every request, and that of [`SocketAddr`](std::net::SocketAddr) in those over TCP.
///
/// The server runs until it is dropped: then it accepts no connection any more, and open connections go on until the runtime
/// stops. [`Serve::with_graceful_shutdown`] ends it in good order.
///
/// ```no_run
/// use secure_download_axum::serve;
/// use tokio::net::TcpListener;
///
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// serve(TcpListener::bind("127.0.0.1:8000").await?, app).await
/// # }
/// ```
pub fn serve<S, B>(listener: impl Into<DownloadListener>, app: S) -> Serve<S>
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let listener = listener.into();
    let settings = Settings::new(listener.patience());
    Serve { listener, app, settings, signal: None, deadline: Duration::from_secs(30) }
}

/// How long a server that is told to end accepts what has connected before.
const BACKLOG: Duration = Duration::from_millis(50);

/// A server that is about to run, from [`serve`]. Await it.
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<S> {
    listener: DownloadListener,
    app: S,
    settings: Settings,
    signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    deadline: Duration,
}

impl<S> Serve<S> {
    /// Ends the server once `signal` is ready: it accepts no new connection, closes those without a request, and lets running
    /// requests finish until [the deadline](Serve::shutdown_deadline). The future is ready when all of them are over.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use secure_download_axum::serve;
    /// use tokio::net::TcpListener;
    ///
    /// # async fn run(app: axum::Router, terminated: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    /// serve(TcpListener::bind("127.0.0.1:8000").await?, app)
    ///     .with_graceful_shutdown(terminated)
    ///     .shutdown_deadline(Duration::from_secs(300))
    ///     .await
    /// # }
    /// ```
    pub fn with_graceful_shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signal = Some(Box::pin(signal));
        self
    }

    /// How long running requests may take once the server is told to end; 30 seconds unless set. Those that are left are
    /// cut.
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long a client may take for the head of a request, and how long a connection may stay without a request; 60 seconds
    /// unless set, as with nginx.
    pub fn header_read_timeout(mut self, timeout: Duration) -> Self {
        self.settings.header_timeout = timeout;
        self
    }

    /// How many requests one HTTP/2 connection may have open at a time; 100 unless set.
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.settings.max_streams = streams;
        self
    }
}

impl<S, B> Serve<S>
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    async fn run(self) -> io::Result<()> {
        let Self { mut listener, app, settings, signal, deadline } = self;
        let (stage, connections) = watch::channel(Stage::Serving);
        let spawn = move |(stream, peer)| {
            let app = App::new(app.clone(), peer, settings.patience);
            tokio::spawn(connection::run(stream, app, settings, connections.clone()));
        };
        let mut signal = pin!(async {
            match signal {
                Some(signal) => signal.await,
                None => pending().await,
            }
        });
        loop {
            tokio::select! {
                accepted = listener.accept() => spawn(accepted),
                () = &mut signal => break,
            }
        }
        // Clients that connected before the signal are served too.
        let end = Instant::now() + BACKLOG;
        while let Ok(accepted) = timeout_at(end, listener.accept()).await {
            spawn(accepted);
        }
        drop(listener);
        // And with it what would otherwise count as one more connection.
        drop(spawn);
        stage.send_replace(Stage::Finishing);
        if timeout(deadline, stage.closed()).await.is_err() {
            stage.send_replace(Stage::Over);
            stage.closed().await;
        }
        Ok(())
    }
}

impl<S, B> IntoFuture for Serve<S>
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<S> fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("listener", &self.listener).finish_non_exhaustive()
    }
}
