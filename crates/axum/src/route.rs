//! [`download`] and [`download_named`]: routes that do nothing but deliver.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, MatchedPath, OriginalUri, Path};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use secure_download_core::{Gate, Record};

use crate::Head;

/// A route that serves the gate's files, for a path with one parameter: the id.
///
/// The subject is extracted the app's own way, and the app's own rejections pass through unchanged. GET and HEAD are
/// served, other methods are answered with 405 and `Allow`; handlers for them can be chained.
///
/// A path with another number of parameters (a nested router adds its own) is answered with 500, and the gate's observer is
/// sent [`Reason::Route`](secure_download_core::Reason::Route): use [`download_named`], or a handler that calls
/// [`Gate::serve`].
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
///         // `None` for a visitor who is not signed in: `signed_in` answers 401.
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
    deliver::<S, St, Sole>(gate)
}

/// As [`download`], for a path with two parameters: the id, and a name that is ignored.
///
/// Clients that save a file under the end of its URL, such as `wget` as it is, then save it under that name. The file's own
/// name stays in `Content-Disposition`.
///
/// ```
/// # use axum::Router;
/// # use secure_download_core::{Download, Gate};
/// use secure_download_axum::{download, download_named};
///
/// # #[derive(Clone)] struct User;
/// # impl<St: Sync> axum::extract::FromRequestParts<St> for User {
/// #     type Rejection = std::convert::Infallible;
/// #     async fn from_request_parts(_: &mut http::request::Parts, _: &St) -> Result<User, Self::Rejection> { Ok(User) }
/// # }
/// fn app(gate: Gate<User, Download>) -> Router {
///     Router::new()
///         .route("/files/{id}", download::<User, _>(gate.clone()))
///         .route("/files/{id}/{name}", download_named::<User, _>(gate))
/// }
/// ```
pub fn download_named<S, St>(gate: Gate<S, impl Record + 'static>) -> MethodRouter<St>
where
    S: FromRequestParts<St> + Send + Sync + 'static,
    St: Clone + Send + Sync + 'static,
{
    deliver::<S, St, Named>(gate)
}

fn deliver<S, St, P>(gate: Gate<S, impl Record + 'static>) -> MethodRouter<St>
where
    S: FromRequestParts<St> + Send + Sync + 'static,
    St: Clone + Send + Sync + 'static,
    P: Parameters,
{
    let serve = move |subject: S, Id(id, _): Id<P>, head: Head| async move {
        let answer: Response = match id {
            Found::Id(id) => gate.serve(&subject, &id, &head).await.into_response(),
            Found::Nothing => gate.serve_record(&subject, None, &head).await.into_response(),
            Found::Misrouted(found) => {
                gate.refuse_misrouted(&subject, found, P::COUNT, &head).into_response()
            }
        };
        answer
    };
    MethodRouter::new().get(serve.clone()).head(serve.clone()).fallback(serve)
}

/// What the parameters of a route are.
trait Parameters: Send + 'static {
    const COUNT: usize;
}

struct Sole;

impl Parameters for Sole {
    const COUNT: usize = 1;
}

struct Named;

impl Parameters for Named {
    const COUNT: usize = 2;
}

/// What the path says of the file.
enum Found {
    Id(String),
    /// What is not UTF-8 names nothing.
    Nothing,
    /// The path has so many parameters, and should have another number.
    Misrouted(usize),
}

struct Id<P>(Found, std::marker::PhantomData<P>);

impl<St: Send + Sync, P: Parameters> FromRequestParts<St> for Id<P> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &St) -> Result<Self, Infallible> {
        let parameters = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let (count, id) = match parameters {
            Ok(Path(parameters)) => (parameters.len(), parameters.into_iter().next().map(|(_, id)| id)),
            Err(rejection) if is_not_utf8(&rejection) => raw_parameters(parts),
            Err(_) => (0, None),
        };
        let found = match id {
            _ if count != P::COUNT => Found::Misrouted(count),
            Some(id) => Found::Id(id),
            None => Found::Nothing,
        };
        Ok(Self(found, std::marker::PhantomData))
    }
}

fn is_not_utf8(rejection: &PathRejection) -> bool {
    matches!(
        rejection,
        PathRejection::FailedToDeserializePathParams(error)
            if matches!(error.kind(), ErrorKind::InvalidUtf8InPathParam { .. })
    )
}

/// How many parameters the path has, and the first. axum yields none of them if one is not UTF-8, and the name need not be.
fn raw_parameters(parts: &Parts) -> (usize, Option<String>) {
    let Some(route) = parts.extensions.get::<MatchedPath>() else { return (0, None) };
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    let mut parameters = route
        .as_str()
        .split('/')
        .zip(uri.path().split('/'))
        .filter(|(pattern, _)| pattern.starts_with('{') && pattern.ends_with('}'));
    let first = parameters
        .next()
        .and_then(|(_, segment)| percent_decode_str(segment).decode_utf8().ok().map(Cow::into_owned));
    let count = route.as_str().matches('{').count();
    (count, first)
}
