//! Reads on after an early answer.
//!
//! A server that refuses an upload half-way and closes the connection resets it, and most browsers then show "connection
//! reset" instead of the page that says why. So what still comes is read and thrown away for a while.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, EXPECT};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Body as _, Frame, SizeHint};
use tokio::runtime::Handle;

/// nginx lingers as long.
const PATIENCE: Duration = Duration::from_secs(30);
/// nginx waits as long for further bytes.
const SILENCE: Duration = Duration::from_secs(5);

/// Reads on after an early answer, and announces there that the connection ends.
pub(crate) async fn keep_reading(request: Request, next: Next) -> Response {
    let waits = request.headers().contains_key(EXPECT);
    let unread = Arc::new(AtomicBool::new(false));
    let lingers = Arc::clone(&unread);
    let request = request.map(|body| Body::new(Lingering { body: Some(body), waits, unread: lingers }));
    let mut response = next.run(request).await;
    if unread.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

struct Lingering {
    /// Absent once it has ended.
    body: Option<Body>,
    /// The client sends nothing before it is told to go on, so there is nothing to throw away.
    waits: bool,
    /// Set if there is more than was asked for.
    unread: Arc<AtomicBool>,
}

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(rest) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        self.unread.store(true, Ordering::Relaxed);
        if let (false, Ok(runtime)) = (self.waits, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(PATIENCE, throw_away(rest)));
        }
    }
}

async fn throw_away(body: Body) {
    let mut body = pin!(body);
    let mut next = async || std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
    while let Ok(Some(Ok(_))) = tokio::time::timeout(SILENCE, next()).await {}
}
