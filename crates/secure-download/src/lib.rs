//! Private file downloads: authenticated, authorised for that one file, then delivered.
//!
//! The application says who asks, finds its own row, and decides. The library turns the decision into a response, by a
//! strategy that is swapped in one line:
//!
//! | strategy | feature | who sends the bytes |
//! |---|---|---|
//! | [`Stream::local`](struct.Stream.html#method.local) | `stream` (default) | the application, from a folder, with no thread held per download |
//! | [`Stream::object_store`](struct.Stream.html#method.object_store) | `object_store` | the application, from a bucket |
//! | [`Presign`](struct.Presign.html) | `presign` | the store: the client is sent there with a URL that lives for seconds |
//! | [`AccelRedirect`](struct.AccelRedirect.html) | `accel-redirect` | the reverse proxy in front of it: nginx, Caddy, Apache, lighttpd |
//! | [`MaskedBucket`](struct.MaskedBucket.html) | `accel-redirect`, `presign` | nginx or Caddy, out of a private bucket |
//!
//! Links that work once, a number of times or for a while come with the feature `links`: [`links`](links/index.html).
//!
//! What the gate did is told to observers: an audit log in JSON lines (`observe-json`), `tracing` (`observe-tracing`) and
//! `metrics` (`observe-metrics`).
//!
//! It connects to a web framework:
//!
//! | framework | feature |
//! |---|---|
//! | [axum](axum/index.html) | `axum` |
//! | [actix-web](actix/index.html) | `actix` |
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```text")]
//! use axum::Router;
//! use axum::extract::OptionalFromRequestParts;
//! use axum::http::request::Parts;
//! use secure_download::axum::download;
//! use secure_download::{Decision, Download, FileKey, Gate, Stream, signed_in};
//! use std::collections::HashMap;
//!
//! /// The app's own user, from its own session.
//! struct User { id: u64 }
//! # impl<St: Sync> OptionalFromRequestParts<St> for User {
//! #     type Rejection = std::convert::Infallible;
//! #     async fn from_request_parts(_: &mut Parts, _: &St) -> Result<Option<User>, Self::Rejection> { Ok(None) }
//! # }
//!
//! /// The app's own row.
//! #[derive(Clone)]
//! struct Scan { owner: u64, key: FileKey, name: String }
//!
//! impl secure_download::Record for Scan {
//!     fn download(&self) -> Download {
//!         Download::new(self.key.clone()).filename(&self.name).content_type("image/png")
//!     }
//! }
//!
//! # fn app(media: &std::path::Path) -> Result<Router, Box<dyn std::error::Error>> {
//! let scans: HashMap<String, Scan> = HashMap::new(); // or an `impl Catalog` over a database
//! let gate = Gate::builder(scans)
//!     .authorizer(signed_in(|user: &User, scan: &Scan| Decision::allow_if(scan.owner == user.id)))
//!     .strategy(Stream::local(media)?)
//!     .build();
//! let app = Router::new().route("/files/{id}", download::<Option<User>, _>(gate));
//! # Ok(app)
//! # }
//! ```
//!
//! Anonymous requests get 401, whatever the id. Somebody else's file and an unknown id get the same 404, byte for byte.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(inline)]
pub use secure_download_core::*;

#[cfg(feature = "presign")]
#[doc(inline)]
pub use secure_download_presign::*;

#[cfg(feature = "accel-redirect")]
#[doc(inline)]
pub use secure_download_accel_redirect::{
    AccelRedirect, AppAddress, BucketUpstream, BucketUpstreamError, Compressor, Dialect, Guard, IpRange,
    ListenAddress, Mapping, MappingError, MaskedBucket, ProxyConfig, ProxyConfigError, ProxySecret,
    ProxySecretError, Root, UnknownDialect,
};

#[cfg(feature = "doctor")]
#[doc(inline)]
pub use secure_download_accel_redirect::doctor;

#[cfg(feature = "stream")]
#[doc(inline)]
pub use secure_download_stream::{Stream, StreamError};

#[cfg(feature = "links")]
#[doc(inline)]
pub use secure_download_links as links;

#[cfg(any(feature = "observe-json", feature = "observe-metrics", feature = "observe-tracing"))]
#[doc(inline)]
pub use secure_download_observe as observe;

#[cfg(feature = "actix")]
#[doc(inline)]
pub use secure_download_actix as actix;

#[cfg(feature = "axum")]
#[doc(inline)]
pub use secure_download_axum as axum;

// They show every part, so every feature is on; and they are no part of the package.
#[cfg(all(
    doctest,
    feature = "accel-redirect",
    feature = "axum",
    feature = "doctor",
    feature = "links",
    feature = "object_store",
    feature = "observe-json",
    feature = "observe-metrics",
    feature = "observe-tracing",
    feature = "presign",
    feature = "presign-secure-link"
))]
mod guides;
