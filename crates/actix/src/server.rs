//! [`DownloadServer`]: TCP for slow readers.

use std::fmt;
use std::future::ready;
use std::io;
use std::time::Duration;

use actix_http::{ConnectionType, HttpService, KeepAlive, Request};
use actix_server::{Server, ServerBuilder};
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_service, map_config,
};
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{AppConfig, Response, Service};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderValue};
use actix_web::{Error, HttpMessage as _};
use secure_download_core::Patience;
use secure_download_tcp::{Connection, ListeningSocket, StallGuard, names_its_host, tune};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::heads::{Answering, HeadGuard, Requests};

/// How much actix collects before it writes, in bytes: one chunk of a large file, and not four for every slow reader.
const WRITE_BUFFER: usize = 8 * 1024;

/// As long as nginx.
const LINGER: Duration = Duration::from_secs(30);

/// Serves an actix app over HTTP/1.1, made for downloads: [`HttpServer`](actix_web::HttpServer) gives no hold on its
/// connections.
///
/// - `TCP_NODELAY`, so that no answer waits for an acknowledgement.
/// - `TCP_NOTSENT_LOWAT`, so that the kernel does not hold megabytes for every slow reader. The send buffer itself stays
///   as large as fast readers need it.
/// - A [`StallGuard`], so that a client that stopped reading does not hold its connection for ever.
/// - 400 for HTTP/1.1 without `Host`, with two, or with one that is not an authority (RFC 9112 section 3.2).
///
/// SIGTERM lets running downloads finish for 30 seconds; [`configure`](DownloadServer::configure) sets
/// [`ServerBuilder::shutdown_timeout`], and SIGINT ends the server at once. It listens on TCP, on a Unix socket, or on the socket
/// that systemd hands over, as [`ListeningSocket`] says.
///
/// ```no_run
/// use actix_web::App;
/// use secure_download_actix::{DownloadServer, ListeningSocket};
///
/// # async fn run() -> std::io::Result<()> {
/// let socket = ListeningSocket::bind("127.0.0.1:8000")?;
/// DownloadServer::new(|| App::new())
///     .configure(|server| server.shutdown_timeout(300))
///     .listen(socket)?
///     .await
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
            stall_timeout: Patience::default().stall_timeout(),
            keep_alive: KeepAlive::default(),
            request_timeout: Duration::from_secs(5),
            disconnect_timeout: LINGER,
        }
    }

    /// How long a client may stop reading; see [`Patience`].
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

    /// How long a client may take for the head of a request; five seconds.
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

    /// Serves what connects to `socket`, such as a [`TcpListener`](std::net::TcpListener), once the returned server is awaited.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub fn listen<I, S, B>(self, socket: impl Into<ListeningSocket>) -> io::Result<Server>
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
        let socket = socket.into();
        let (name, local) = (format!("downloads {socket}"), socket.tcp_address());
        let shutdown = builder.graceful_shutdown_signal();
        let http = move || {
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
                .on_connect_ext(move |io: &HeadGuard, connection| {
                    connection.insert(Patience::new(stall_timeout));
                    connection.insert(io.requests());
                });
            let http = match local {
                Some(local) => http.local_addr(local),
                None => http,
            };
            http.h1(apply_fn_factory(map_config(app, |()| AppConfig::default()), checked))
        };
        // A client may be silent for the one, and then take the other for its next head.
        let time_for_head = match keep_alive {
            KeepAlive::Timeout(silent) => Some(silent + request_timeout),
            KeepAlive::Os | KeepAlive::Disabled => None,
        };
        let guarded = move |connection: Connection, peer| {
            // A socket that refuses an option still works: the peer may be gone already.
            let _ = tune(&connection);
            ready(Ok((HeadGuard::new(StallGuard::new(connection, stall_timeout), time_for_head), peer)))
        };
        let server = match socket {
            ListeningSocket::Tcp(listener) => builder.listen(name, listener, move || {
                let connected = move |stream: TcpStream| {
                    let peer = stream.peer_addr().ok();
                    guarded(stream.into(), peer)
                };
                fn_service(connected).and_then(http())
            })?,
            #[cfg(unix)]
            ListeningSocket::Unix(listener) => builder.listen_uds(name, listener, move || {
                fn_service(move |stream: UnixStream| guarded(stream.into(), None)).and_then(http())
            })?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(server.run())
    }
}

/// Answers a request that does not name its host, and lets the app answer all others.
#[expect(clippy::future_not_send, reason = "actix answers a request on the thread that took it")]
fn checked<S, B>(
    request: Request,
    app: &S,
) -> impl Future<Output = Result<Response<EitherBody<Answering<B>>>, S::Error>> + use<S, B>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    let connection = request.conn_data::<Requests>().cloned();
    let running = connection.as_ref().map(Requests::begin);
    let version = match request.version() {
        actix_web::http::Version::HTTP_09 => http::Version::HTTP_09,
        actix_web::http::Version::HTTP_10 => http::Version::HTTP_10,
        _ => http::Version::HTTP_11,
    };
    let hosts = request.headers().get_all(HOST).map(HeaderValue::as_bytes);
    let answer = names_its_host(version, hosts).then(|| app.call(request));
    async move {
        match answer {
            Some(answer) => {
                let response: Response<B> = answer.await?.into();
                if let Some(connection) = &connection
                    && response.head().connection_type() == ConnectionType::Close
                {
                    connection.close();
                }
                Ok(response.map_body(|_, body| EitherBody::left(Answering::new(body, running))))
            }
            None => {
                let mut response =
                    Response::with_body(StatusCode::BAD_REQUEST, BoxBody::new("400 Bad Request\n"));
                // Another server on the way might read it as two requests.
                response.head_mut().set_connection_type(ConnectionType::Close);
                Ok(response.map_body(|_, body| EitherBody::right(body)))
            }
        }
    }
}

impl<F> fmt::Debug for DownloadServer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownloadServer").field("stall_timeout", &self.stall_timeout).finish_non_exhaustive()
    }
}
