//! One log line for each request, with the bytes of the body that really left.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use bytes::Bytes;
use demo::{InProgress, LogLine, Site};
use http::{Method, StatusCode};
use secure_download::ServedBy;
use secure_download::actix::Delivered;

pub(crate) async fn log(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<Logged>, Error> {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default();
    let mut line = LogLine::new(&method, request.uri().path());
    let site = request.app_data::<Data<Site>>().cloned();
    let in_progress = site.as_ref().map(|site| site.begin());
    let response = match site.and_then(|site| site.turned_away(request.uri().path())) {
        Some(page) => request.into_response(HttpResponse::from(Delivered(page))),
        None => next.call(request).await?,
    };
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or_default();
    line.answered(status, response.response().extensions().get().map(ServedBy::strategy));
    Ok(response.map_body(|_, body| Logged { body, line, _in_progress: in_progress }))
}

/// A body that is counted as it is taken. The line is written when it is dropped: at its end, or when the client left.
pub(crate) struct Logged {
    body: BoxBody,
    line: LogLine,
    _in_progress: Option<InProgress>,
}

impl MessageBody for Logged {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let chunk = Pin::new(&mut self.body).poll_next(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &chunk {
            self.line.sent(chunk.len());
        }
        chunk
    }
}
