//! [`ProxySecret`]: how the application knows that a request came through its proxy.

use std::fmt;

use secure_download_core::{PROXY_PROOF, RequestHead};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The shortest secret, in bytes.
const MIN_LEN: usize = 32;

/// What the examples of configurations have in its place.
const PLACEHOLDER: &str = "CHANGE-ME";

/// A secret that the proxy adds to each request in the header [`PROXY_PROOF`]. Application and proxy alone know it.
///
/// Without it a request that reached the application by another way would be answered with an empty file and the
/// file's place in a header. The rendered configuration replaces whatever a client sends under that name.
///
/// ```
/// use secure_download_accel_redirect::{ProxySecret, ProxySecretError};
///
/// // As `openssl rand -hex 32` prints it, from the environment or a secret store.
/// # let from_environment = "0123456789abcdef".repeat(4);
/// let secret = ProxySecret::new(from_environment)?;
/// assert!(ProxySecret::new("too short").is_err());
/// # let _ = secret;
/// # Ok::<(), ProxySecretError>(())
/// ```
#[derive(Clone)]
pub struct ProxySecret(Zeroizing<String>);

impl ProxySecret {
    /// A secret of at least 32 bytes, each one of `A-Za-z0-9-._~+/=`, such as `openssl rand -hex 32` prints.
    ///
    /// # Errors
    /// [`ProxySecretError`] if it is shorter or holds another byte, if it is one byte over and over, or begins with
    /// `CHANGE-ME`, as in examples.
    pub fn new(secret: impl Into<String>) -> Result<Self, ProxySecretError> {
        let secret = Zeroizing::new(secret.into());
        if secret.len() < MIN_LEN {
            return Err(ProxySecretError::TooShort { length: secret.len() });
        }
        if secret.starts_with(PLACEHOLDER) || secret.bytes().all(|byte| Some(byte) == secret.bytes().next()) {
            return Err(ProxySecretError::Known);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !secret.bytes().all(plain) {
            return Err(ProxySecretError::Character);
        }
        Ok(Self(secret))
    }

    /// A secret made of 32 random bytes, which the caller took from the system's generator.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
        for byte in bytes {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Self(text)
    }

    /// The secret itself, for the proxy's configuration.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the request carries the secret, exactly once. Compared in constant time.
    #[must_use]
    pub fn is_proven_by(&self, head: &RequestHead) -> bool {
        let mut lines = head.fields(PROXY_PROOF);
        let (Some(proof), None) = (lines.next(), lines.next()) else { return false };
        self.equals(proof.as_bytes())
    }

    pub(crate) fn equals(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl fmt::Debug for ProxySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxySecret(..)")
    }
}

/// Why a text is no [`ProxySecret`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxySecretError {
    /// Too short to be unguessable.
    #[error("a proxy secret has at least {MIN_LEN} bytes, this one has {length}: try `openssl rand -hex 32`")]
    TooShort {
        /// Its length in bytes.
        length: usize,
    },
    /// It holds a byte that would need quoting.
    #[error("a proxy secret is made of A-Z a-z 0-9 - . _ ~ + / = only")]
    Character,
    /// It stands in an example, or is one byte over and over.
    #[error("this proxy secret is a placeholder: make one with `openssl rand -hex 32`")]
    Known,
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, Method};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn weak_secrets_and_those_that_need_quoting_are_refused() {
        for bad in ["CHANGE-ME-openssl-rand-hex-32-0123456789", &"x".repeat(32)] {
            assert_eq!(ProxySecret::new(bad).err(), Some(ProxySecretError::Known), "{bad:?}");
        }
        for bad in ["", &SECRET[1..]] {
            assert_eq!(ProxySecret::new(bad).err(), Some(ProxySecretError::TooShort { length: bad.len() }));
        }
        for byte in ["\"", " ", "\n", ";", "$", "{", "\\", "é"] {
            let bad = format!("{SECRET}{byte}");
            assert_eq!(ProxySecret::new(bad).err(), Some(ProxySecretError::Character), "{byte:?}");
        }
        let secret = ProxySecret::from_random(&[0xa5; 32]);
        assert_eq!(secret.expose(), "a5".repeat(32));
        assert_eq!(format!("{secret:?}"), "ProxySecret(..)");
    }

    #[test]
    fn the_proof_stands_exactly_once() {
        let secret = ProxySecret::new(SECRET).expect("a secret");
        let longer = format!("{SECRET}0");
        for (lines, proven) in [
            (&[][..], false),
            (&[SECRET], true),
            (&[SECRET, SECRET], false),
            (&["x", SECRET], false),
            (&[""], false),
            (&[&SECRET[1..]], false),
            (&[longer.as_str()], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(PROXY_PROOF, HeaderValue::from_str(line).expect("a value"));
            }
            assert_eq!(secret.is_proven_by(&RequestHead::new(&Method::GET, &headers)), proven, "{lines:?}");
        }
    }
}
