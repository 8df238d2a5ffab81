//! One log line for each request, with the bytes of the body that really left.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use demo::LogLine;
use http_body::{Frame, SizeHint};
use secure_download::ServedBy;

pub(crate) async fn log(request: Request, next: Next) -> Response {
    let mut line = LogLine::new(request.method(), request.uri().path());
    let response = next.run(request).await;
    line.answered(response.status(), response.extensions().get().map(ServedBy::strategy));
    response.map(|body| Body::new(Logged { body, line }))
}

/// A body that is counted as it is taken. The line is written when it is dropped: at its end, or when the client left.
struct Logged {
    body: Body,
    line: LogLine,
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
