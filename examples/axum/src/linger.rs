//! Reads on after an early answer.
//!
//! A server that refuses an upload half-way and closes the connection resets it, and most browsers then show "connection
//! reset" instead of the page that says why. So what still comes is read and thrown away for a while.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body::{Body as _, Frame, SizeHint};
use tokio::runtime::Handle;

/// nginx lingers as long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn keep_reading(request: Request) -> Request {
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| Body::new(Lingering { body: Some(body), waits }))
}

struct Lingering {
    /// Absent once it has ended.
    body: Option<Body>,
    /// The client sends nothing before it is told to go on, so there is nothing to throw away.
    waits: bool,
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
        let rest = self.body.take().filter(|body| !self.waits && !body.is_end_stream());
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(PATIENCE, throw_away(rest)));
        }
    }
}

async fn throw_away(body: Body) {
    let mut body = pin!(body);
    while let Some(Ok(_)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {}
}
