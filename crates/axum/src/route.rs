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
/// See the [crate documentation](crate) for an example.
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
