//! Amazon CloudFront.

mod key;
mod policy;
mod signer;

pub use self::key::{CloudFrontKey, CloudFrontKeyError};
pub use self::signer::{CloudFrontError, CloudFrontSigner};
