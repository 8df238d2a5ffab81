//! [`LocalKey`]: the secret behind local URLs.

use std::fmt;

use hmac::Mac as _;

use crate::mac::{Mac, keyed};

/// Sets these signatures apart from everything else that the same secret may sign.
const DOMAIN: &[u8] = b"secure-download/presign/local/v2";

/// The shortest secret, in bytes: as long as the hash.
const SHORTEST: usize = 32;

/// How many bytes a signature has.
pub(crate) const MAC_LENGTH: usize = 32;

/// A secret that signs local URLs, at least 32 random bytes. `Debug` does not show it.
#[derive(Clone)]
pub struct LocalKey {
    mac: Mac,
}

impl LocalKey {
    /// Takes the secret. Its signatures are good for local URLs only, even if the application signs other things
    /// with the same secret.
    ///
    /// # Errors
    /// [`LocalKeyError`] if it is shorter than 32 bytes, or one byte over and over.
    pub fn new(secret: &[u8]) -> Result<Self, LocalKeyError> {
        let constant = secret.iter().all(|byte| Some(byte) == secret.first());
        if secret.len() < SHORTEST || constant {
            return Err(LocalKeyError);
        }
        let mut derive = keyed(secret);
        derive.update(DOMAIN);
        Ok(Self { mac: keyed(&derive.finalize().into_bytes()) })
    }

    /// The key of one base alone: what it signs is good below no other.
    pub(crate) fn of_base(self, base: &str) -> Self {
        Self { mac: keyed(&self.sign(base.as_bytes())) }
    }

    pub(crate) fn sign(&self, claims: &[u8]) -> [u8; MAC_LENGTH] {
        let mut mac = self.mac.clone();
        mac.update(claims);
        mac.finalize().into_bytes().into()
    }

    /// In constant time.
    pub(crate) fn verifies(&self, claims: &[u8], signature: &[u8]) -> bool {
        let mut mac = self.mac.clone();
        mac.update(claims);
        mac.verify_slice(signature).is_ok()
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// The secret is too weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has at least {SHORTEST} random bytes: make one with `openssl rand -hex 32`")]
pub struct LocalKeyError;
