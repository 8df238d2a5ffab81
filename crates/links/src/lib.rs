//! One-time, counted and expiring links, on any storage.
//!
//! A link is a signed token that names a record. Whoever has it may download that record as often as it says, even over
//! previews, mail scanners, resumed downloads and races:
//!
//! | request | what happens |
//! |---|---|
//! | `GET /d/{token}` | a page with a button ([`redeem_page`]); nothing is spent, however often |
//! | `POST /d/{token}` | [`Links::redeem`] reserves a use and leases it to this client by a cookie, then 303 |
//! | `GET /d/{token}/file` | [`Links::bearer`] makes the holder of the lease the subject of a gate, which delivers |
//!
//! The use is spent when the first byte leaves and given back if none does. Until the lease ends, its holder may resume, which
//! means download again, in as many pieces as the gate's [`Concurrency`](secure_download_core::Concurrency) allows; the same
//! URL in another browser opens nothing. What the application has to see to:
//!
//! - The path given to [`Redeemed::into_response`] is the one that delivers: the cookie goes to no other.
//! - POSTs from other sites are refused, by `Sec-Fetch-Site` or `Origin`.
//! - A bearer is served the record of its own link: `gate.serve(&bearer, record, &head)` with `bearer.claims().record()`, and
//!   any id at all if there is no bearer.
//! - [`Links::links_per_issuer`] suits how many links an issuer needs at one time.
//!
//! A client that keeps no cookie spends nothing: a use whose lease does not come back within [`CLAIM_SECONDS`] is left again. However
//! often a link is redeemed, a store keeps a bounded number of leases beside those that hold or have spent a use.
//!
//! ```
//! use secure_download_core::{BoxError, Decision, Download, FileKey, Gate, Record};
//! use secure_download_links::{LinkAuthorizer, LinkKey, LinkSigner, Links, MemoryLinkStore};
//! # use secure_download_core::{Body, DeliveryError, DeliveryStrategy, Grant, RequestHead};
//! # struct Stream;
//! # #[async_trait::async_trait]
//! # impl DeliveryStrategy for Stream {
//! #     fn name(&self) -> &'static str { "stream" }
//! #     async fn deliver(&self, _: Grant, _: &RequestHead) -> Result<http::Response<Body>, DeliveryError> {
//! #         Ok(http::Response::new(Body::full("bytes")))
//! #     }
//! # }
//!
//! #[derive(Clone)]
//! struct Scan { id: String, owner: String, key: FileKey }
//! # impl Record for Scan { fn download(&self) -> Download { Download::new(self.key.clone()) } }
//!
//! # fn run() -> Result<(), secure_download_links::WeakKey> {
//! # let scans = std::collections::HashMap::<String, Scan>::new();
//! # let secret = "0123456789abcdef".repeat(4);
//! // The secret: `openssl rand -hex 32` prints one. Every process that shares the links has the same.
//! let signer = LinkSigner::new("files.example", &LinkKey::new(1, secret)?);
//! let links = Links::new(signer, MemoryLinkStore::new(10_000));
//!
//! // The rule for people who are signed in, which decides about a link's issuer too.
//! let owner_only = |user: &String, scan: &Scan| Decision::allow_if(scan.owner == *user);
//! let find_user = |issuer: &str| {
//!     let user = issuer.to_owned();
//!     async move { Ok::<_, BoxError>(Some(user)) }
//! };
//! let gate = Gate::builder(scans)
//!     .authorizer(LinkAuthorizer::new(|scan: &Scan| scan.id.as_str().into(), owner_only, find_user))
//!     .strategy(Stream)
//!     .usage_limit(links.clone())
//!     .build();
//! # let _ = gate; Ok(()) }
//! # run().unwrap();
//! ```
//!
//! # Why is it built so
//!
//! - Redeeming is a POST because previews, scanners and prefetching browsers only ever send GET and HEAD.
//! - The lease is a cookie, so that a URL which leaks after it was redeemed opens nothing, and a download can be resumed.
//! - An entry that the store has lost counts as spent: no failure of a store makes one winner too many.
//! - The issuer is asked again at every download: whoever may no longer see the file cannot have given it away for longer.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod authorizer;
mod base62;
mod bearer;
mod claims;
mod key;
mod links;
mod page;
mod redeemed;
mod store;
mod token;

pub use self::authorizer::LinkAuthorizer;
pub use self::bearer::LinkBearer;
pub use self::claims::{LinkClaims, LinkId, NewLink};
pub use self::key::{LinkKey, WeakKey};
pub use self::links::{Links, MintError};
pub use self::page::redeem_page;
pub use self::redeemed::Redeemed;
#[cfg(feature = "redis")]
pub use self::store::RedisLinkStore;
pub use self::store::{
    CLAIM_SECONDS, KEPT_SECONDS, Lease, LeaseState, LinkStore, MemoryLinkStore, RETURNED_LEASES, StoreError,
    StoredLink,
};
pub use self::token::LinkSigner;
