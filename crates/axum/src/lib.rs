//! The axum adapter of secure-download.
//!
//! - [`download`] is a route for apps whose files are named by one path parameter, [`download_named`] one that ends in a name.
//! - [`Head`] is an extractor for apps with a handler of their own; the gate's response is an axum response as it is.
//! - [`serve`] takes the place of [`axum::serve`](fn@axum::serve): it bounds what slow readers hold, cuts clients that stopped
//!   reading, and lets running downloads finish when the server ends.
//! - [`DownloadListener`] listens on TCP, on a Unix socket, or on the socket that systemd hands over.
//! - [`compressible`] keeps compression layers away from downloads.
//!
//! ```
//! use axum::Router;
//! use axum::extract::FromRequestParts;
//! use http::request::Parts;
//! use secure_download_axum::download;
//! use secure_download_core::{Decision, Download, FileKey, Gate, signed_in};
//! # use secure_download_stream::Stream;
//!
//! /// The app's own user, extracted the app's own way.
//! struct User { name: String }
//!
//! # struct MaybeUser(Option<User>);
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let media = tempfile::tempdir()?;
//! # let catalog = std::collections::HashMap::<String, Download>::new();
//! # impl<St: Sync> axum::extract::OptionalFromRequestParts<St> for User {
//! #     type Rejection = std::convert::Infallible;
//! #     async fn from_request_parts(_: &mut Parts, _: &St) -> Result<Option<User>, Self::Rejection> { Ok(None) }
//! # }
//! let gate = Gate::builder(catalog)
//!     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.name == "alice")))
//!     .strategy(Stream::local(media.path())?)
//!     .build();
//! let app: Router = Router::new().route("/files/{id}", download::<Option<User>, _>(gate));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```

mod compression;
mod head;
mod interstitial;
mod listener;
mod route;
mod serve;

pub use self::compression::compressible;
pub use self::head::Head;
pub use self::interstitial::{BehindInterstitial, InterstitialLayer, interstitial};
pub use self::listener::{DownloadListener, PeerAddr};
pub use self::route::{download, download_named};
pub use self::serve::{Serve, serve};
#[doc(inline)]
pub use secure_download_tcp::{ListeningSocket, StallGuard};
