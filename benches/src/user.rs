//! [`User`]: the subject of every bench, as the frameworks' extractors give it.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use axum::extract::OptionalFromRequestParts;
use http::request::Parts;

/// The subject of every bench.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// Compared by the authorizer.
    pub id: u64,
}

/// The one user who may download.
pub const OWNER: Option<User> = Some(User { id: 7 });

/// How a session is kept is the application's business, so every request is the owner's.
impl<St: Sync> OptionalFromRequestParts<St> for User {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &St) -> Result<Option<Self>, Infallible> {
        Ok(OWNER)
    }
}

impl FromRequest for User {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { id: 7 }))
    }
}
