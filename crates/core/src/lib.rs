//! Authorise, grant, deliver: the traits and types that every part of secure-download shares.
//!
//! A request goes one way:
//!
//! 1. The adapter of a web framework takes the subject (who asks), an id and the few headers that delivery may see
//!    ([`RequestHead`]), and calls [`Gate::serve`].
//! 2. [`Authorizer::admits`] may refuse the subject before anything is looked up: 401.
//! 3. The [`Catalog`] finds the app's own [`Record`]. An unknown id is 404.
//! 4. [`Authorizer::authorize`] decides about this subject and this record. A denial shows as the same 404.
//! 5. The gate makes a [`Grant`], which nobody else can make, with a [`ResponsePlan`]: the headers that the client must
//!    end up seeing.
//! 6. A [`DeliveryStrategy`] turns the grant into a response.
//! 7. An [`Observer`] is told all of it under one [`AuditId`].
//!
//! The authorizer never sees storage, the strategy never sees the subject, cookies or credentials, and the adapter knows
//! no strategy. This crate knows no runtime and no framework.
//!
//! # Why is it built so
//!
//! - A missing catalog, authorizer or strategy does not compile, and neither does a delivery without a grant: the
//!   mistakes that leak files are type errors.
//! - 401 is decided before the look-up, so it cannot tell whether a record exists.
//! - Refusals are rendered when the gate is built, so they cannot depend on who asked for what.
//! - Conditions and ranges are decided here, once, for every strategy that sends bytes.

mod authorize;
mod body;
mod catalog;
mod concurrency;
mod conditional;
mod content_safety;
mod cookie;
mod date;
mod delivery;
mod disposition;
mod dot_file;
mod download;
mod error;
mod etag;
mod filename;
mod gate;
mod interstitial;
mod invisible;
mod key;
mod media_type;
mod multipart;
mod observe;
mod parts;
mod patience;
mod plan;
mod range;
mod reason;
mod refusal;
mod representation;
mod request;
mod router;
mod sandbox;
mod signer;
mod terms;
mod tracking;
mod usage;

pub use self::authorize::{Authorizer, Decision, Denial, Masking, SignedIn, authorize_with, signed_in};
pub use self::body::{Body, BodyError};
pub use self::catalog::{Catalog, find_with};
pub use self::concurrency::Concurrency;
pub use self::content_safety::{ContentPolicy, CrossOriginPolicy};
pub use self::cookie::cookie_values;
pub use self::delivery::{Declined, Delivery, DeliveryError, DeliveryStrategy, Grant, ServedBy};
pub use self::disposition::{Disposition, content_disposition};
pub use self::download::{CachePolicy, Download, Record};
pub use self::error::BoxError;
pub use self::etag::ETag;
pub use self::filename::safe_filename;
pub use self::gate::{Gate, GateBuilder, GateRequest};
pub use self::interstitial::Interstitial;
pub use self::invisible::is_invisible;
pub use self::key::{FileKey, FileKeyError};
pub use self::observe::{AuditId, Event, Observer, Outcome};
pub use self::parts::{Part, Parts};
pub use self::patience::Patience;
pub use self::plan::{ResponsePlan, Selection, Sending};
pub use self::reason::Reason;
pub use self::refusal::{Refusal, RefusalPage};
pub use self::representation::{FileStamp, Representation};
pub use self::request::{AUDIT_ID, PROXY_PROOF, RequestHead};
pub use self::router::{FirstOf, Route, Router};
pub use self::sandbox::FrameAncestorsError;
pub use self::signer::{SignError, SignedUrl, UrlSigner};
pub use self::terms::Terms;
pub use self::usage::{Availability, Reservation, UsageLimit, Use};
