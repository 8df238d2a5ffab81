//! Observers: what the gate did, for auditors, for `tracing` and for `metrics`.
//!
//! | observer | feature | what it tells |
//! |---|---|---|
//! | [`JsonLines`] | `json` | an audit log: each decision and each end, one JSON object a line |
//! | [`Tracing`] | `tracing` | a span for each granted download, an event for each decision and each end |
//! | [`Metrics`] | `metrics` | counters, the running downloads and their durations |
//!
//! A pair of observers is one, so several are told at once:
//!
#![cfg_attr(all(feature = "json", feature = "metrics"), doc = "```")]
#![cfg_attr(not(all(feature = "json", feature = "metrics")), doc = "```text")]
//! use secure_download_core::{Download, Gate, signed_in};
//! use secure_download_observe::{JsonLines, Metrics};
//! # use secure_download_core::{Decision, DeliveryStrategy};
//!
//! # struct User { name: String }
//! # fn app(strategy: impl DeliveryStrategy + 'static) {
//! # let catalog = std::collections::HashMap::<String, Download>::new();
//! let audit = JsonLines::new(std::io::stdout());
//! let gate = Gate::builder(catalog)
//!     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.name == "alice")))
//!     .strategy(strategy)
//!     .subject_label(|user: &Option<User>| user.as_ref().map_or("-".into(), |user| user.name.as_str().into()))
//!     .observer((audit.clone(), Metrics::new()))
//!     .build();
//! # let _ = gate;
//! # }
//! ```
//!
//! # What they do not tell
//! No signed URL and no token of a link: a reader of the log must not be able to download. An id of 64 bytes or more is
//! taken for a token: its length and a keyed hash stand in its place, see [`RedactionKey`]. The same holds for words as
//! long in the reasons that storage and the application's own code give; queries of URLs are left out. See [`redact`].

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "metrics")]
mod metrics;
mod redact;
mod redaction_key;
#[cfg(any(feature = "json", feature = "metrics", feature = "tracing"))]
mod running;
#[cfg(feature = "tracing")]
mod tracing;
mod words;

#[cfg(feature = "json")]
pub use self::json::JsonLines;
#[cfg(feature = "metrics")]
pub use self::metrics::Metrics;
pub use self::redact::{redact, redact_id};
pub use self::redaction_key::{RedactionKey, WeakRedactionKey};
#[cfg(feature = "tracing")]
pub use self::tracing::Tracing;
