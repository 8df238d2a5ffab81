//! [`LinkKey`]: what tokens are signed with.

use std::fmt;

use zeroize::Zeroizing;

/// The shortest secret, in bytes: what HMAC-SHA256 makes full use of (RFC 2104 section 3).
const SHORTEST: usize = 32;

/// A secret and the number by which tokens name it.
///
/// ```
/// use secure_download_links::LinkKey;
///
/// // 32 random bytes from the app's secret store, the same in every process that shares its links.
/// # fn secret_store() -> String { "0123456789abcdef".repeat(4) }
/// let key = LinkKey::new(1, secret_store())?;
/// assert!(LinkKey::new(1, "too short").is_err());
/// assert!(LinkKey::new(1, [0; 32]).is_err());
/// # Ok::<(), secure_download_links::WeakKey>(())
/// ```
#[derive(Clone)]
pub struct LinkKey {
    id: u32,
    secret: Zeroizing<Vec<u8>>,
}

impl LinkKey {
    /// A key with at least 32 bytes of secret. Give each new secret an id of its own.
    ///
    /// # Errors
    /// [`WeakKey`] if the secret is shorter, or one byte over and over.
    pub fn new(id: u32, secret: impl AsRef<[u8]>) -> Result<Self, WeakKey> {
        let secret = secret.as_ref();
        let constant = secret.iter().all(|byte| Some(byte) == secret.first());
        if secret.len() < SHORTEST || constant {
            return Err(WeakKey { length: secret.len() });
        }
        Ok(Self { id, secret: Zeroizing::new(secret.to_vec()) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A secret that is too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a link key needs at least {SHORTEST} random bytes, such as `openssl rand -hex 32` prints; this secret has {length}, or is \
     one byte over and over"
)]
pub struct WeakKey {
    length: usize,
}
