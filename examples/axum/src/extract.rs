//! What handlers take from a request. None of these answers with axum's own plain texts.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRef as _, FromRequest, FromRequestParts, Request};
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum_extra::extract::SignedCookieJar;
use axum_extra::extract::cookie::Key;
use demo::{FORM_LIMIT, Form, Page, Site, User, parameter, readable_pairs, refusal};
use tokio::time::timeout;

use crate::routes::{self, App};
use crate::session;

/// Who asks; `None` is an anonymous visitor.
pub(crate) struct Visitor(pub(crate) Option<User>);

impl FromRequestParts<App> for Visitor {
    type Rejection = Page;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Page> {
        let Ok(Jar(jar)) = Jar::from_request_parts(parts, app).await;
        let session = session::of(&jar);
        Arc::<Site>::from_ref(app).visitor(session.as_deref()).await.map(Self)
    }
}

/// The cookies that bear our signature. `SignedCookieJar` as an extractor drops whole lines for one byte that is not ASCII.
pub(crate) struct Jar(pub(crate) SignedCookieJar);

impl FromRequestParts<App> for Jar {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let lines = parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let pairs = readable_pairs(lines).filter_map(|pair| Some((COOKIE, pair.parse().ok()?)));
        Ok(Self(SignedCookieJar::from_headers(&pairs.collect::<HeaderMap>(), Key::from_ref(app))))
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

impl FromRequest<App> for SmallForm {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        let headers = request.headers().clone();
        // Said before anything is read, so that a client that asks whether to go on is told not to.
        if routes::announced(&headers).is_some_and(|length| length > FORM_LIMIT as u64) {
            return Ok(Self(Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, ""))));
        }
        let patience = Arc::<Site>::from_ref(app).patience();
        let body = timeout(patience, Bytes::from_request(request, app)).await;
        Ok(Self(match body {
            Ok(Ok(body)) => Form::parse(&headers, &body),
            Ok(Err(rejection)) => Err(refusal(rejection.status(), "")),
            Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "")),
        }))
    }
}
