//! [`CloudFrontKey`]: a key pair of a key group.

use std::fmt;

use crate::private_key::PrivateKey;

/// A private key and the id of its public key at CloudFront. `Debug` shows neither.
pub struct CloudFrontKey {
    pub(super) id: String,
    pub(super) key: PrivateKey,
}

impl CloudFrontKey {
    /// The public key's id, and the private key in PEM: RSA, or the curve P-256 as PKCS#8.
    ///
    /// # Errors
    /// [`CloudFrontKeyError`] if the key cannot be read.
    pub fn new(id: impl Into<String>, pem: &str) -> Result<Self, CloudFrontKeyError> {
        let (id, key) = (id.into(), PrivateKey::any(pem).ok_or(CloudFrontKeyError)?);
        let plain =
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if plain { Ok(Self { id, key }) } else { Err(CloudFrontKeyError) }
    }
}

impl fmt::Debug for CloudFrontKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudFrontKey").finish_non_exhaustive()
    }
}

/// The key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a CloudFront key is the public key's id, and the private key in PEM: RSA, or P-256 as PKCS#8")]
pub struct CloudFrontKeyError;
