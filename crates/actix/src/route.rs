//! [`download`] and [`download_named`]: routes that do nothing but deliver.

use actix_web::web;
use actix_web::{FromRequest, HttpRequest, Route};
use secure_download_core::{Gate, Record};

use crate::{Delivered, Head};

/// What actix's router puts where a path is not UTF-8.
const UNREADABLE: char = '\u{fffd}';

/// A route that serves the gate's files, for a path with one parameter: the id.
///
/// The subject is extracted the app's own way, and the app's own rejections pass through unchanged. (actix makes every
/// rejection of `User` a `None` if the subject is `Option<User>`.) GET and HEAD are served, other methods are answered
/// with 405 and `Allow`. Routes for other methods stand before this one:
///
/// ```
/// use actix_web::{App, web};
/// use secure_download_actix::download;
/// # use secure_download_core::{Download, Gate};
///
/// # fn app(gate: Gate<(), Download>) {
/// let file = web::resource("/files/{id}")
///     .route(web::delete().to(async || "deleted"))
///     .route(download::<()>(gate));
/// let app = App::new().service(file);
/// # let _ = app;
/// # }
/// ```
///
/// A path with another number of parameters (a scope adds its own) is answered with 500, and the gate's observer is sent
/// [`Reason::Route`](secure_download_core::Reason::Route): use [`download_named`], or a handler that calls
/// [`Gate::serve`].
///
/// See the [crate documentation](crate) for a whole example.
#[must_use]
pub fn download<S>(gate: Gate<S, impl Record + 'static>) -> Route
where
    S: FromRequest + Sync + 'static,
{
    deliver(gate, 1)
}

/// As [`download`], for a path with two parameters: the id, and a name that is ignored.
///
/// Clients that save a file under the end of its URL, such as `wget` as it is, then save it under that name. The file's own
/// name stays in `Content-Disposition`.
///
/// ```
/// use actix_web::App;
/// use secure_download_actix::{download, download_named};
/// # use secure_download_core::{Download, Gate};
///
/// # fn app(gate: Gate<(), Download>) {
/// let app = App::new()
///     .route("/files/{id}", download::<()>(gate.clone()))
///     .route("/files/{id}/{name}", download_named::<()>(gate));
/// # let _ = app;
/// # }
/// ```
#[must_use]
pub fn download_named<S>(gate: Gate<S, impl Record + 'static>) -> Route
where
    S: FromRequest + Sync + 'static,
{
    deliver(gate, 2)
}

/// Serves the file that the first of so many parameters names.
fn deliver<S>(gate: Gate<S, impl Record + 'static>, expected: usize) -> Route
where
    S: FromRequest + Sync + 'static,
{
    web::route().to(move |subject: S, request: HttpRequest, head: Head| {
        let gate = gate.clone();
        async move {
            let mut parameters = request.match_info().iter();
            let id = parameters.next().map(|(_, id)| id);
            let found = usize::from(id.is_some()) + parameters.count();
            Delivered(match id {
                _ if found != expected => gate.refuse_misrouted(&subject, found, expected, &head),
                Some(id) if !id.contains(UNREADABLE) => gate.serve(&subject, id, &head).await,
                // What is not UTF-8 names nothing.
                _ => gate.serve_record(&subject, None, &head).await,
            })
        }
    })
}
