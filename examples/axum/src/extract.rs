//! What handlers take from a request. None of these answers with axum's own plain texts.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use demo::{FORM_LIMIT, Form, Page, Site, User, parameter, refusal};
use tokio::time::timeout;

use crate::routes;

/// Who asks; `None` is an anonymous visitor.
pub(crate) struct Visitor(pub(crate) Option<User>);

impl FromRequestParts<Arc<Site>> for Visitor {
    type Rejection = Page;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Page> {
        site.visitor(&parts.headers).await.map(Self)
    }
}

/// The one parameter of the path that counts; see [`parameter`].
pub(crate) struct Id(pub(crate) String);

impl<St: Send + Sync> FromRequestParts<St> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &St) -> Result<Self, Infallible> {
        Ok(Self(parameter(parts.uri.path())))
    }
}

/// A short form, or the page that says what is wrong with it.
pub(crate) struct SmallForm(pub(crate) Result<Form, Page>);

impl FromRequest<Arc<Site>> for SmallForm {
    type Rejection = Infallible;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Infallible> {
        let headers = request.headers().clone();
        // Said before anything is read, so that a client that asks whether to go on is told not to.
        if routes::announced(&headers).is_some_and(|length| length > FORM_LIMIT as u64) {
            return Ok(Self(Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, ""))));
        }
        let body = timeout(site.patience(), Bytes::from_request(request, site)).await;
        Ok(Self(match body {
            Ok(Ok(body)) => Form::parse(&headers, &body),
            Ok(Err(rejection)) => Err(refusal(rejection.status(), "")),
            Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "")),
        }))
    }
}
