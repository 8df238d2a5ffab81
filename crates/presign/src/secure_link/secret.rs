//! [`SecureLinkSecret`]: the secret that application and nginx share.

use std::fmt;

use zeroize::Zeroizing;

/// The shortest secret, in bytes.
const MIN_LEN: usize = 32;

/// What examples of configurations have in its place.
const PLACEHOLDER: &str = "CHANGE-ME";

/// The secret of signed links, which stands in nginx's configuration too. `Debug` does not show it, and it is overwritten
/// when dropped. Use it for nothing else.
///
/// ```
/// use secure_download_presign::{SecureLinkSecret, SecureLinkSecretError};
///
/// // As `openssl rand -hex 32` prints it, from the environment or a secret store.
/// # let from_environment = "0123456789abcdef".repeat(4);
/// let secret = SecureLinkSecret::new(from_environment)?;
/// assert!(SecureLinkSecret::new("too short").is_err());
/// # let _ = secret;
/// # Ok::<(), SecureLinkSecretError>(())
/// ```
#[derive(Clone)]
pub struct SecureLinkSecret(Zeroizing<String>);

impl SecureLinkSecret {
    /// A secret of at least 32 bytes, each one of `A-Za-z0-9-._~+/=`. nginx would read other characters as variables, quotes
    /// or escapes.
    ///
    /// # Errors
    /// [`SecureLinkSecretError`] if it is shorter or has another byte, if it is one byte over and over, or begins with
    /// `CHANGE-ME`, as in examples.
    pub fn new(secret: impl Into<String>) -> Result<Self, SecureLinkSecretError> {
        let secret = Zeroizing::new(secret.into());
        if secret.len() < MIN_LEN {
            return Err(SecureLinkSecretError::TooShort { length: secret.len() });
        }
        if secret.starts_with(PLACEHOLDER) || secret.bytes().all(|byte| Some(byte) == secret.bytes().next()) {
            return Err(SecureLinkSecretError::Known);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !secret.bytes().all(plain) {
            return Err(SecureLinkSecretError::Character);
        }
        Ok(Self(secret))
    }

    /// A secret of published vectors, of any length.
    #[cfg(test)]
    pub(super) fn of_vectors(secret: &str) -> Self {
        Self(Zeroizing::new(secret.to_owned()))
    }

    /// The secret itself, for signatures and nginx's configuration.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecureLinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecureLinkSecret(..)")
    }
}

/// A text that is not a secret of `secure_link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecureLinkSecretError {
    /// It can be guessed.
    #[error("the secret has {length} bytes: use at least 32, such as `openssl rand -hex 32` prints")]
    TooShort {
        /// Its length in bytes.
        length: usize,
    },
    /// It is one byte over and over, or the placeholder of an example.
    #[error("the secret is a placeholder: make one with `openssl rand -hex 32`")]
    Known,
    /// nginx's configuration would change it.
    #[error(
        "the secret has a byte that is not one of A-Za-z0-9-._~+/=: nginx would read it as something else"
    )]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nginx_would_change_is_refused() {
        let good = "0123456789abcdef0123456789ABCDEF-._~+/=";
        let secret = SecureLinkSecret::new(good).expect("a secret");
        assert_eq!(secret.expose(), good);
        assert_eq!(format!("{secret:?}"), "SecureLinkSecret(..)");
        assert_eq!(SecureLinkSecret::new("0123").err(), Some(SecureLinkSecretError::TooShort { length: 4 }));
        for known in ["a".repeat(32), "CHANGE-ME-0123456789-0123456789-0123456789".to_owned()] {
            assert_eq!(SecureLinkSecret::new(known).err(), Some(SecureLinkSecretError::Known));
        }
        for byte in ["\"", "'", "\\", "$", "{", "}", ";", " ", "\n", "\0", "#", "é", "\u{7f}"] {
            let text = format!("{good}{byte}");
            assert_eq!(SecureLinkSecret::new(text).err(), Some(SecureLinkSecretError::Character), "{byte:?}");
        }
    }
}
