//! HTTP/2 with prior knowledge.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tower_service::Service;

use super::app::App;
use super::connection::{BUFFER, Settings, Stage, told};
use super::prefixed::Prefixed;
use super::streams::{Found, Streams};

/// What one stream may have waiting in the connection: one chunk of a large file.
const SEND_BUFFER: usize = 64 * 1024;

/// How long a client without an open request may take to close its connection once the server is told to end.
const FAREWELL: Duration = Duration::from_secs(5);

pub(super) async fn serve<S, B>(
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
    let streams = Streams::new(settings.patience);
    let mut http = http2::Builder::new(streams.clone());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_streams)
        .max_header_list_size(BUFFER as u32)
        .max_send_buf_size(SEND_BUFFER);
    let opened = streams.clone();
    let service = service_fn(move |request| {
        let (app, stream) = (app.clone(), opened.open());
        async move { Ok::<_, Infallible>(app.answer(request).await.map(|body| stream.body(body))) }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));

    let mut looks = interval(between_looks(&settings));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut busy_at = Instant::now();
    let mut next = Stage::Finishing;
    // A client that was told that the connection ends, and stays.
    let mut patience_when_idle = settings.header_timeout.saturating_mul(2);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = told(&mut stage, next) => match next {
                Stage::Over => return,
                Stage::Serving | Stage::Finishing => {
                    next = Stage::Over;
                    connection.as_mut().graceful_shutdown();
                    busy_at = Instant::now();
                    patience_when_idle = FAREWELL;
                    looks.reset_after(FAREWELL);
                }
            },
            now = looks.tick() => match streams.reset_stalled() {
                Found::Busy => busy_at = now,
                Found::Stuck => return,
                Found::Idle => {
                    let idle = now - busy_at;
                    if idle >= patience_when_idle {
                        return;
                    }
                    if idle >= settings.header_timeout {
                        connection.as_mut().graceful_shutdown();
                    }
                }
            },
        }
    }
}

/// Often enough that no client may pause for more than a quarter longer than it may.
fn between_looks(settings: &Settings) -> Duration {
    let shortest = settings.patience.stall_timeout().min(settings.header_timeout);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(15))
}
