//! [`Head`]: the extractor of what delivery may see.

use std::convert::Infallible;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use http::request::Parts;
use secure_download_core::{Patience, RequestHead};

/// Extracts the [`RequestHead`] of a request. Never rejects.
///
/// ```
/// use axum::extract::{Path, State};
/// use axum::response::Response;
/// use axum::response::IntoResponse as _;
/// use secure_download_axum::Head;
/// use secure_download_core::{Download, Gate};
///
/// # #[derive(Clone)] struct User;
/// # impl<St: Sync> axum::extract::FromRequestParts<St> for User {
/// #     type Rejection = std::convert::Infallible;
/// #     async fn from_request_parts(_: &mut http::request::Parts, _: &St) -> Result<User, Self::Rejection> { Ok(User) }
/// # }
/// async fn file(
///     State(gate): State<Gate<User, Download>>,
///     user: User,
///     Path(id): Path<String>,
///     head: Head,
/// ) -> Response {
///     gate.serve(&user, &id, &head).await.into_response()
/// }
/// # let _: axum::routing::MethodRouter<Gate<User, Download>> = axum::routing::get(file);
/// ```
#[derive(Debug, Clone)]
pub struct Head(pub RequestHead);

impl Deref for Head {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.0
    }
}

impl<St: Sync> FromRequestParts<St> for Head {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &St) -> Result<Self, Infallible> {
        let head = RequestHead::new(&parts.method, &parts.headers);
        // Known behind the library's own server.
        let patience = parts.extensions.get::<Patience>().copied().unwrap_or_default();
        Ok(Self(head.with_patience(patience)))
    }
}
