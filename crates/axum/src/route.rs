//! [`download`]: a route that does nothing but deliver.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::response::IntoResponse as _;
use axum::routing::MethodRouter;
use secure_download_core::{Gate, Record};

use crate::Head;

/// A route that serves the gate's files, for a path with one parameter: the id.
///
/// The subject is extracted the app's own way, and the app's own rejections pass through unchanged. GET and HEAD are
/// served, other methods are answered with 405 and `Allow`; handlers for them can be chained.
///
/// `Option<User>` is a subject if `User` implements [`OptionalFromRequestParts`](axum::extract::OptionalFromRequestParts);
/// `FromRequestParts` alone does not make it one.
///
/// ```
/// use axum::Router;
/// use axum::extract::OptionalFromRequestParts;
/// use http::request::Parts;
/// use secure_download_axum::download;
/// use secure_download_core::{Download, Gate};
/// use std::convert::Infallible;
///
/// struct User { token: String }
///
/// impl<S: Sync> OptionalFromRequestParts<S> for User {
///     type Rejection = Infallible;
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
///         // `None` for whoever is not signed in: `signed_in` answers 401.
///         let token = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
///         Ok(token.map(|token| User { token: token.to_owned() }))
///     }
/// }
///
/// fn app(gate: Gate<Option<User>, Download>) -> Router {
///     Router::new().route("/files/{id}", download::<Option<User>, _>(gate))
/// }
/// ```
pub fn download<S, St>(gate: Gate<S, impl Record + 'static>) -> MethodRouter<St>
where
    S: FromRequestParts<St> + Send + Sync + 'static,
    St: Clone + Send + Sync + 'static,
{
    let serve = move |subject: S, id: Result<Path<String>, PathRejection>, head: Head| async move {
        match id {
            Ok(Path(id)) => gate.serve(&subject, &id, &head).await.into_response(),
            // What is not UTF-8 names nothing.
            Err(_) => gate.serve_record(&subject, None, &head).await.into_response(),
        }
    };
    MethodRouter::new().get(serve.clone()).head(serve.clone()).fallback(serve)
}
