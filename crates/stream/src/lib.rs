//! The stream strategy: the application sends the bytes itself.
//!
//! No thread is held per download. A file is opened once, beneath its root as the kernel sees it, and stat and bytes come
//! from that one descriptor. Bytes are read one small chunk at a time, when the framework asks for more, which it does
//! when the client has taken what came before: thousands of slow readers cost one chunk each. What is in the page
//! cache is read at once; what is not is read on the blocking pool, so that a slow disk delays nobody else.
//!
//! ```
//! use secure_download_core::{Decision, Download, Gate, signed_in};
//! use secure_download_stream::Stream;
//!
//! struct User { admin: bool }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let media = tempfile::tempdir()?;
//! # let catalog = std::collections::HashMap::<String, Download>::new();
//! let gate = Gate::builder(catalog)
//!     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.admin)))
//!     .strategy(Stream::local(media.path())?)
//!     .build();
//! # let _ = gate;
//! # Ok(())
//! # }
//! ```

mod local;
#[cfg(feature = "object_store")]
mod object;
mod pacing;
#[cfg(feature = "object_store")]
mod patience;
mod strategy;

pub use self::strategy::{Stream, StreamError};
