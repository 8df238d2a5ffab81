//! [`RedactionKey`]: what stands in a log in place of a token.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The shortest secret, in bytes: what HMAC-SHA-256 makes full use of (RFC 2104 section 3).
const SHORTEST: usize = 32;

/// How many bytes of the hash are told: enough to tell the ids of one log apart, and none of a secret.
const TOLD: usize = 8;

/// Keeps one purpose of a secret apart from others.
const DOMAIN: &[u8] = b"secure-download/redaction/1\0";

/// The key of this process; without randomness there is none, and no hash either.
static OF_THIS_PROCESS: LazyLock<RedactionKey> = LazyLock::new(|| {
    let mut secret = [0; SHORTEST];
    let drawn = getrandom::fill(&mut secret).ok();
    RedactionKey(drawn.and_then(|()| mac(&secret)))
});

/// The key of the hash that an observer tells in place of an id or a word as long as a token (HMAC-SHA-256, 64 bits of it).
///
/// `RedactionKey::default()` is drawn at random when the process starts. A secret of your own makes the logs of several
/// processes, and of one before and after a restart, comparable.
///
/// ```
/// use secure_download_observe::RedactionKey;
///
/// # fn secret_store() -> String { "0123456789abcdef".repeat(4) }
/// let key = RedactionKey::new(secret_store())?;
/// let padded = format!("{:0>64}", 7);
/// assert_eq!(key.id(&padded), RedactionKey::new(secret_store())?.id(&padded));
/// # Ok::<(), secure_download_observe::WeakRedactionKey>(())
/// ```
#[derive(Clone)]
pub struct RedactionKey(Option<Hmac<Sha256>>);

impl RedactionKey {
    /// A key with at least 32 bytes of secret, such as `openssl rand -hex 32` prints.
    ///
    /// # Errors
    /// [`WeakRedactionKey`] if the secret is shorter, or one byte over and over.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, WeakRedactionKey> {
        let secret = secret.as_ref();
        let constant = secret.iter().all(|byte| Some(byte) == secret.first());
        if secret.len() < SHORTEST || constant {
            return Err(WeakRedactionKey { length: secret.len() });
        }
        Ok(Self(mac(secret)))
    }

    /// The length of `token` in bytes and its hash.
    pub(crate) fn mark(&self, token: &str) -> String {
        let mut mark = format!("[…{} bytes", token.len());
        if let Some(mac) = &self.0 {
            let hash = mac.clone().chain_update(token).finalize().into_bytes();
            mark.push_str(", ");
            for byte in &hash[..TOLD] {
                let _ = write!(mark, "{byte:02x}");
            }
        }
        mark.push(']');
        mark
    }
}

fn mac(secret: &[u8]) -> Option<Hmac<Sha256>> {
    Hmac::<Sha256>::new_from_slice(secret).ok().map(|mac| mac.chain_update(DOMAIN))
}

/// The key of this process, the same at each call.
impl Default for RedactionKey {
    fn default() -> Self {
        OF_THIS_PROCESS.clone()
    }
}

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactionKey(..)")
    }
}

/// A secret that is too short to hash with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a redaction key needs at least {SHORTEST} random bytes, such as `openssl rand -hex 32` prints; this secret has {length}, \
     or is one byte over and over"
)]
pub struct WeakRedactionKey {
    length: usize,
}
