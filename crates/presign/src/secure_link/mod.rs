//! nginx's `secure_link`: files of a folder by links that nginx itself checks.

mod location;
mod secret;
mod signer;

pub use self::secret::{SecureLinkSecret, SecureLinkSecretError};
pub use self::signer::{SecureLink, SecureLinkError};
