//! Signed URLs of the application itself, for a laptop or a server without any store.

mod claims;
mod key;
mod signer;

pub use self::claims::LocalClaims;
pub use self::key::{LocalKey, LocalKeyError};
pub use self::signer::LocalSigner;
