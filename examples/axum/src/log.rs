//! One log line for each request, with the bytes of the body that really left.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use demo::{InProgress, LogLine, Site};
use http_body::{Frame, SizeHint};
use secure_download::ServedBy;

pub(crate) async fn log(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let in_progress = site.begin();
    let mut line = LogLine::new(request.method(), request.uri().path());
    let response = match site.turned_away(request.uri().path()) {
        Some(page) => page.into_response(),
        None => next.run(request).await,
    };
    line.answered(response.status(), response.extensions().get().map(ServedBy::strategy));
    response.map(|body| Body::new(Logged { body, line, _in_progress: in_progress }))
}

/// A body that is counted as it is taken. The line is written when it is dropped: at its end, or when the client left.
struct Logged {
    body: Body,
    line: LogLine,
    _in_progress: InProgress,
}

impl http_body::Body for Logged {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.line.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
