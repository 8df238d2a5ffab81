//! [`download`]: a route that does nothing but deliver.

use actix_web::web::{self, Path};
use actix_web::{FromRequest, Route};
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
/// See the [crate documentation](crate) for a whole example.
#[must_use]
pub fn download<S>(gate: Gate<S, impl Record + 'static>) -> Route
where
    S: FromRequest + Sync + 'static,
{
    let serve =
        move |subject: S, id: Result<Path<String>, <Path<String> as FromRequest>::Error>, head: Head| {
            let gate = gate.clone();
            async move {
                Delivered(match id {
                    Ok(id) if !id.contains(UNREADABLE) => gate.serve(&subject, &id, &head).await,
                    // What is not UTF-8 names nothing.
                    _ => gate.serve_record(&subject, None, &head).await,
                })
            }
        };
    web::route().to(serve)
}
