//! What handlers take from a request. None of these answers with axum's own plain texts.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRef as _, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum_extra::extract::SignedCookieJar;
use demo::{Form, Page, Site, User, refusal};

use crate::routes::App;
use crate::session;

/// Who asks; `None` is an anonymous visitor.
pub(crate) struct Visitor(pub(crate) Option<User>);

impl FromRequestParts<App> for Visitor {
    type Rejection = Page;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Page> {
        let Ok(jar) = SignedCookieJar::from_request_parts(parts, app).await;
        let session = session::of(&jar);
        Arc::<Site>::from_ref(app).visitor(session.as_deref()).await.map(Self)
    }
}

/// The one parameter of the path. What is not UTF-8 becomes the empty text, which names nothing.
pub(crate) struct Id(pub(crate) String);

impl<St: Send + Sync> FromRequestParts<St> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &St) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map_or_else(|_| String::new(), |Path(parameter)| parameter)))
    }
}

/// A short form, or the page that says what is wrong with it.
pub(crate) struct SmallForm(pub(crate) Result<Form, Page>);

impl<St: Send + Sync> FromRequest<St> for SmallForm {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &St) -> Result<Self, Infallible> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await;
        Ok(Self(match body {
            Ok(body) => Form::parse(&headers, &body),
            Err(rejection) => Err(refusal(rejection.status(), "")),
        }))
    }
}
