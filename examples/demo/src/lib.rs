//! What both demo applications share: pages, storage and rules, without a word about any web framework.
//!
//! [`Site`] answers every request of the demo; an application reads requests with its framework, asks the site and sends
//! what comes back. How the library is used stands in `rules.rs`.

#![expect(clippy::result_large_err, reason = "a page is made once a request and sent at once")]

mod account;
mod arrival;
mod assets;
mod audit;
mod bucket;
mod cross_site;
mod descriptors;
mod drain;
mod embedded_s3;
mod files;
mod form;
mod host;
mod ids;
mod kept_key;
mod links;
mod listen;
mod log;
mod next;
mod options;
mod page;
mod pages;
mod passwords;
mod path;
mod private;
mod proxy;
mod public_url;
mod rules;
mod samples;
mod session;
mod site;
mod startup;
mod store;
#[cfg(feature = "suite")]
pub mod suite;
mod turns;
mod upload;
mod uploads;

pub use self::descriptors::raise_descriptor_limit;
pub use self::drain::InProgress;

pub use self::assets::asset;
pub use self::form::{FORM_LIMIT, Form, asks_inline};
pub use self::listen::Listen;
pub use self::log::{LogLine, log_failure};
pub use self::options::{Credentials, Options};
pub use self::page::{Page, redirect};
pub use self::pages::refusal;
pub use self::path::parameter;
pub use self::proxy::Proxy;
pub use self::public_url::PublicUrl;
pub(crate) use self::public_url::base;
pub use self::rules::StoredFile;
pub use self::site::{Site, StartError};
pub use self::startup::{Signals, announce, run};
pub use self::store::{User, UserId};
