//! [`DownloadServer`]: TCP for slow readers.

use std::fmt;
use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Request};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response, Service};
use secure_download_tcp::{STALL_TIMEOUT, StallGuard, tune};
use tokio::net::TcpStream;

/// How much actix collects before it writes, in bytes: one chunk of a large file, and not four for every slow reader.
const WRITE_BUFFER: usize = 8 * 1024;

/// As long as nginx.
const LINGER: Duration = Duration::from_secs(30);

/// Serves an actix app over HTTP/1.1, made for downloads: [`HttpServer`](actix_web::HttpServer) lets nobody look after
/// its connections.
///
/// - `TCP_NODELAY`, so that no answer waits for an acknowledgement.
/// - `TCP_NOTSENT_LOWAT`, so that the kernel does not hold megabytes for every slow reader. The send buffer itself stays
///   as large as fast readers need it.
/// - A [`StallGuard`], so that a client that stopped reading does not hold its connection for ever.
///
/// ```no_run
/// use std::net::TcpListener;
///
/// use actix_web::App;
/// use secure_download_actix::DownloadServer;
///
/// # async fn run() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:8000")?;
/// DownloadServer::new(|| App::new()).listen(listener)?.await
/// # }
/// ```
///
/// With [`HttpServer`](actix_web::HttpServer), for TLS say, set `tcp_nodelay(true)` and `h1_write_buffer_size(8 * 1024)`,
/// and have a proxy in front that cuts clients that stopped reading.
pub struct DownloadServer<F> {
    app: F,
    builder: ServerBuilder,
    stall_timeout: Duration,
    keep_alive: KeepAlive,
    request_timeout: Duration,
    disconnect_timeout: Duration,
}

impl<F> DownloadServer<F> {
    /// `app` makes the [`App`](actix_web::App), once for each worker. Clients may stall for 60 seconds; everything else is as with
    /// [`HttpServer`](actix_web::HttpServer).
    #[must_use]
    pub fn new(app: F) -> Self {
        Self {
            app,
            builder: Server::build(),
            stall_timeout: STALL_TIMEOUT,
            keep_alive: KeepAlive::default(),
            request_timeout: Duration::from_secs(5),
            disconnect_timeout: LINGER,
        }
    }

    /// How long a client may stop reading; see [`StallGuard`].
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// How long a connection without a request stays open; five seconds.
    #[must_use]
    pub fn keep_alive(mut self, keep_alive: impl Into<KeepAlive>) -> Self {
        self.keep_alive = keep_alive.into();
        self
    }

    /// How long a client may take for the head of its first request; five seconds.
    #[must_use]
    pub fn client_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long to read on after an answer that came before the end of its request, such as to an upload that is too
    /// large; 30 seconds. A connection that is closed at once is reset, and most browsers then show no answer at all.
    #[must_use]
    pub fn client_disconnect_timeout(mut self, timeout: Duration) -> Self {
        self.disconnect_timeout = timeout;
        self
    }

    /// Settings of the server itself: workers, signals, the shutdown.
    #[must_use]
    pub fn configure(mut self, settings: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        self.builder = settings(self.builder);
        self
    }

    /// Serves what connects to `listener`, once the returned server is awaited.
    ///
    /// # Errors
    /// If the listener cannot be used.
    pub fn listen<I, S, B>(self, listener: TcpListener) -> io::Result<Server>
    where
        F: Fn() -> I + Send + Clone + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<Error>,
        S::InitError: fmt::Debug,
        S::Response: Into<Response<B>>,
        <S::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let Self { app, builder, stall_timeout, keep_alive, request_timeout, disconnect_timeout } = self;
        let local = listener.local_addr()?;
        let shutdown = builder.graceful_shutdown_signal();
        let serve = move || {
            let app = app().into_factory().map_err(|error: S::Error| error.into().error_response());
            let shutdown = shutdown.clone();
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let shutdown = shutdown.clone();
                    async move { shutdown.notified().await }
                })
                .keep_alive(keep_alive)
                .client_request_timeout(request_timeout)
                .client_disconnect_timeout(disconnect_timeout)
                .h1_write_buffer_size(WRITE_BUFFER)
                .local_addr(local)
                .h1(map_config(app, |()| AppConfig::default()));
            fn_service(move |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                // A socket that refuses an option still works: the peer may be gone already.
                let _ = tune(&stream);
                ready(Ok((StallGuard::new(stream, stall_timeout), peer)))
            })
            .and_then(http)
        };
        Ok(builder.listen(format!("downloads {local}"), listener, serve)?.run())
    }
}

impl<F> fmt::Debug for DownloadServer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownloadServer").field("stall_timeout", &self.stall_timeout).finish_non_exhaustive()
    }
}
