//! [`Delivered`]: the responder for what a gate answers.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use http::header::CONTENT_LENGTH;
use secure_download_core::{Body, Delivery, ServedBy};

use crate::DeliveredBody;

/// What [`Gate::serve`](secure_download_core::Gate::serve) answers, as an actix response.
///
/// Head and body stay as they are, and so does the length that an answer to HEAD announces.
///
/// ```
/// use actix_web::web::{Data, Path};
/// use secure_download_actix::{Delivered, Head};
/// use secure_download_core::{Download, Gate};
///
/// async fn preview(gate: Data<Gate<(), Download>>, id: Path<String>, head: Head) -> Delivered {
///     gate.request(&(), &id).inline().serve(&head).await.into()
/// }
/// # let _ = actix_web::web::get().to(preview);
/// ```
#[derive(Debug)]
pub struct Delivered(pub http::Response<Body>);

impl From<http::Response<Body>> for Delivered {
    fn from(response: http::Response<Body>) -> Self {
        Self(response)
    }
}

impl From<Delivered> for HttpResponse<DeliveredBody> {
    fn from(Delivered(response): Delivered) -> Self {
        let (head, body) = response.into_parts();
        let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let announces_more =
            body.remaining() == 0 && head.headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
        let mut response = if announces_more {
            let mut response = HttpResponse::with_body(status, DeliveredBody::of_head());
            response.head_mut().no_chunking(true);
            response
        } else {
            HttpResponse::with_body(status, DeliveredBody::new(body))
        };
        for (name, value) in &head.headers {
            // actix is on an older version of the `http` crate. Both hold names and values to the same characters.
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(mut copy)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                copy.set_sensitive(value.is_sensitive());
                response.headers_mut().append(name, copy);
            }
        }
        let mut extensions = response.extensions_mut();
        if let Some(served_by) = head.extensions.get::<ServedBy>() {
            extensions.insert(*served_by);
        }
        if let Some(delivery) = head.extensions.get::<Delivery>() {
            extensions.insert(*delivery);
        }
        drop(extensions);
        response
    }
}

impl From<Delivered> for HttpResponse {
    fn from(delivered: Delivered) -> Self {
        HttpResponse::<DeliveredBody>::from(delivered).map_into_boxed_body()
    }
}

impl Responder for Delivered {
    type Body = DeliveredBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<DeliveredBody> {
        self.into()
    }
}
