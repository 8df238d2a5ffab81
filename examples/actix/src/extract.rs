//! What handlers take from a request. None of these answers with actix's own plain texts.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::{InternalError, PayloadError};
use actix_web::web::{Bytes, Data};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse};
use demo::{FORM_LIMIT, Form, Page, Site, User, parameter, refusal};
use http::StatusCode;
use secure_download::actix::{Delivered, Fields};
use tokio::time::timeout;

use crate::routes::announced;

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// Who asks; `None` is an anonymous visitor.
pub(crate) struct Visitor(pub(crate) Option<User>);

impl FromRequest for Visitor {
    type Error = Error;
    type Future = Local<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let Ok(headers) = Fields::from_request(request, payload).into_inner();
        let site = request.app_data::<Data<Site>>().cloned();
        Box::pin(async move {
            let Some(site) = site else { return Ok(Self(None)) };
            site.visitor(&headers).await.map(Self).map_err(page_as_error)
        })
    }
}

/// The one parameter of the path that counts; see [`parameter`].
pub(crate) struct Id(pub(crate) String);

impl FromRequest for Id {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(parameter(request.uri().path()))))
    }
}

/// A short form, or the page that says what is wrong with it.
pub(crate) struct SmallForm(pub(crate) Result<Form, Page>);

impl FromRequest for SmallForm {
    type Error = Infallible;
    type Future = Local<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let Ok(headers) = Fields::from_request(request, payload).into_inner();
        if announced(request).is_some_and(|length| length > FORM_LIMIT as u64) {
            return Box::pin(ready(Ok(Self(Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, ""))))));
        }
        let patience = request.app_data::<Data<Site>>().map_or(Duration::ZERO, |site| site.patience());
        let body = timeout(patience, Bytes::from_request(request, payload));
        Box::pin(async move {
            Ok(Self(match body.await {
                Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "")),
                Ok(Ok(body)) => Form::parse(&headers, &body),
                Ok(Err(error)) => match error.as_error() {
                    Some(PayloadError::Overflow) => Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, "")),
                    _ => Err(refusal(StatusCode::BAD_REQUEST, "")),
                },
            }))
        })
    }
}

fn page_as_error(page: Page) -> Error {
    InternalError::from_response("", HttpResponse::from(Delivered(page))).into()
}
