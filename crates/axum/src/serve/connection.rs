//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use secure_download_core::Patience;
use secure_download_tcp::StallGuard;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use super::app::App;
use super::http2;
use super::prefixed::{Prefixed, Protocol};

/// What one HTTP/1 connection may buffer. The head of a request must fit in, or is answered with 431.
pub(super) const BUFFER: usize = 16 * 1024;

/// How long a client that has just connected may take for its first request once the server is told to end.
const LATE_START: Duration = Duration::from_secs(1);

/// What the whole server does, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Serving,
    /// Running requests may finish.
    Finishing,
    /// What is left is cut.
    Over,
}

/// What is set once for all connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) patience: Patience,
    pub(super) header_timeout: Duration,
    pub(super) max_streams: u32,
}

impl Settings {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, header_timeout: Duration::from_secs(60), max_streams: 100 }
    }
}

/// Serves one connection. It is over when this ends, but for upgrades.
pub(super) async fn run<S, B>(
    stream: StallGuard,
    app: App<S>,
    settings: Settings,
    mut stage: watch::Receiver<Stage>,
) where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut stream = Prefixed::new(stream);
    let first_bytes = tokio::select! {
        read = timeout(settings.header_timeout, stream.protocol()) => read,
        () = late(&mut stage) => return,
    };
    match first_bytes {
        Ok(Ok(Some(Protocol::Http1))) => serve_http1(stream, app, settings, stage).await,
        // Much larger than the other, which most connections are.
        Ok(Ok(Some(Protocol::Http2))) => Box::pin(http2::serve(stream, app, settings, stage)).await,
        Ok(Ok(None) | Err(_)) | Err(_) => {}
    }
}

/// Ready when the server is told to end, and a client that has just connected had its chance.
async fn late(stage: &mut watch::Receiver<Stage>) {
    if stage.wait_for(|stage| *stage != Stage::Serving).await.is_err() {
        return pending().await;
    }
    tokio::select! {
        () = sleep(LATE_START) => {}
        () = told(stage, Stage::Over) => {}
    }
}

/// Ready when the server reaches `awaited`. Never, if the server was dropped: then connections go on.
pub(super) async fn told(stage: &mut watch::Receiver<Stage>, awaited: Stage) {
    if stage.wait_for(|stage| *stage >= awaited).await.is_err() {
        pending::<()>().await;
    }
}

async fn serve_http1<S, B>(
    stream: Prefixed,
    app: App<S>,
    settings: Settings,
    mut stage: watch::Receiver<Stage>,
) where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut http = http1::Builder::new();
    // With `half_close`, a client that has sent its request may close its sending side.
    http.max_buf_size(BUFFER)
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout);
    let asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&asked);
    let service = service_fn(move |request| {
        asks.store(true, Ordering::Relaxed);
        let app = app.clone();
        async move { Ok::<_, Infallible>(app.answer(request).await) }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    // How a connection ends, its client knows best.
    tokio::select! {
        // In this order: hyper closes a connection that is told to end before it has read anything.
        biased;
        _ = connection.as_mut() => return,
        () = told(&mut stage, Stage::Finishing) => connection.as_mut().graceful_shutdown(),
    }
    // hyper waits for the rest of a connection's first head as for a running request.
    let never_asks = async {
        sleep(LATE_START).await;
        if asked.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        _ = connection => {}
        () = told(&mut stage, Stage::Over) => {}
        () = never_asks => {}
    }
}
