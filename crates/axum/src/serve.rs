//! [`serve`]: HTTP for thousands of slow readers.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::serve::Listener as _;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tower_service::Service as _;

use crate::{DownloadListener, PeerAddr};

/// What one connection may buffer. The head of a request must fit in, or is answered with 431.
const BUFFER: usize = 16 * 1024;

/// As long as nginx waits for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves an app over HTTP/1.1, until the future is dropped. In place of [`axum::serve`](fn@axum::serve) where many
/// clients are slow: a connection holds a third less, for the largest buffer is 16 KiB instead of 400.
///
/// A head of more than 16 KiB is answered with 431, and one that takes longer than a minute ends the connection.
/// [`ConnectInfo<PeerAddr>`] is in every request. The future never ends of itself; connections go on when it is dropped, as
/// long as the runtime does.
///
/// ```no_run
/// use secure_download_axum::{DownloadListener, serve};
/// use tokio::net::TcpListener;
///
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// let listener = DownloadListener::new(TcpListener::bind("127.0.0.1:8000").await?);
/// match serve(listener, app).await {}
/// # }
/// ```
pub async fn serve(mut listener: DownloadListener, app: Router) -> Infallible {
    let mut http = http1::Builder::new();
    http.max_buf_size(BUFFER).timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    loop {
        let (stream, peer) = listener.accept().await;
        let app = app.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(PeerAddr(peer)));
            // A router is always ready.
            app.clone().call(request)
        });
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        // How a connection ends, its client knows best.
        tokio::spawn(async move { drop(connection.await) });
    }
}
