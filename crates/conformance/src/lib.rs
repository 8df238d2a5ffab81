//! The laws that every part of secure-download keeps, as tests to run: one call in a test function of your own.
//!
//! | what | feature | call |
//! |---|---|---|
//! | a [`DeliveryStrategy`](secure_download_core::DeliveryStrategy) | | [`strategy::Laws::check`] |
//! | a [`UrlSigner`](secure_download_core::UrlSigner) | | [`signer::Laws::check`] |
//! | a store of links | `links` | `link_store::check` |
//! | an application | | [`app::Visitor`] |
//!
//! A law that is broken panics with its name and what was seen. No runtime is needed but the one that the part under
//! test needs; the laws of link stores race on tokio's.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod app;
mod law;
#[cfg(feature = "links")]
pub mod link_store;
pub mod signer;
mod site;
pub mod strategy;

pub use self::law::Broken;
