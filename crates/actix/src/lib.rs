//! The actix-web adapter of secure-download.
//!
//! - [`download`] is a route for apps whose files are named by one path parameter, [`download_named`] one that ends in a name.
//! - [`Head`] is an extractor and [`Delivered`] a responder for apps with a handler of their own.
//!   [`Fields`] are the request's headers for whatever else of the library takes them.
//! - [`DownloadServer`] bounds what slow readers hold and cuts clients that stopped reading.
//! - [`except_downloads`] keeps compression away from downloads.
//!
//! ```
//! use actix_web::{App, FromRequest, HttpRequest, dev::Payload};
//! use secure_download_actix::download;
//! use secure_download_core::{Decision, Download, Gate, signed_in};
//! # use secure_download_stream::Stream;
//!
//! /// The app's own user, extracted the app's own way.
//! struct User { name: String }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let media = tempfile::tempdir()?;
//! # let catalog = std::collections::HashMap::<String, Download>::new();
//! # impl FromRequest for User {
//! #     type Error = actix_web::Error;
//! #     type Future = std::future::Ready<Result<Self, Self::Error>>;
//! #     fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
//! #         std::future::ready(Ok(User { name: "alice".to_owned() }))
//! #     }
//! # }
//! let gate = Gate::builder(catalog)
//!     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.name == "alice")))
//!     .strategy(Stream::local(media.path())?)
//!     .build();
//! let app = App::new().route("/files/{id}", download::<Option<User>>(gate));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```

mod body;
mod compression;
mod delivered;
mod head;
mod heads;
mod interstitial;
mod route;
mod server;

pub use self::body::DeliveredBody;
pub use self::compression::{ExceptDownloads, except_downloads};
pub use self::delivered::Delivered;
pub use self::head::{Fields, Head};
pub use self::interstitial::{BehindInterstitial, InterstitialMiddleware, interstitial};
pub use self::route::{download, download_named};
pub use self::server::DownloadServer;
#[doc(inline)]
pub use secure_download_tcp::{ListeningSocket, StallGuard};
