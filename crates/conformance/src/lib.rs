//! The laws that every part of secure-download keeps, as tests to run: one call in a test function of your own.
//!
//! | what | feature | call |
//! |---|---|---|
//! | a store of links | `links` | [`link_store::check`] |
//!
//! A law that is broken panics with its name and what was seen.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "links")]
pub mod link_store;
