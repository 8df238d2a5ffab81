//! [`GcsKey`]: a service account's private key, or an HMAC key.

use std::fmt;

use hmac::Mac as _;
use secure_download_core::SignError;
use zeroize::Zeroizing;

use crate::mac::keyed;
use crate::private_key::PrivateKey;

/// What signs for Google Cloud Storage. `Debug` shows no secret.
pub struct GcsKey {
    id: String,
    secret: Secret,
}

enum Secret {
    Rsa(PrivateKey),
    Hmac(Zeroizing<String>),
}

impl GcsKey {
    /// A service account by its e-mail address and its private RSA key in PEM.
    ///
    /// # Errors
    /// [`GcsKeyError`] if the key cannot be read.
    pub fn service_account(client_email: impl Into<String>, pem: &str) -> Result<Self, GcsKeyError> {
        let secret = Secret::Rsa(PrivateKey::rsa(pem).ok_or(GcsKeyError)?);
        Self::checked(client_email.into(), secret)
    }

    /// A service account's key file, as Google's console gives it.
    ///
    /// # Errors
    /// [`GcsKeyError`] if it holds no `client_email`, or no `private_key` that can be read.
    pub fn from_json(file: &[u8]) -> Result<Self, GcsKeyError> {
        let file: serde_json::Value = serde_json::from_slice(file).map_err(|_| GcsKeyError)?;
        let text = |name: &str| file[name].as_str().ok_or(GcsKeyError);
        Self::service_account(text("client_email")?, text("private_key")?)
    }

    /// An HMAC key: two hundred times faster than RSA.
    ///
    /// # Errors
    /// [`GcsKeyError`] if either part is empty.
    pub fn hmac(access_id: impl Into<String>, secret: impl Into<String>) -> Result<Self, GcsKeyError> {
        let secret = Zeroizing::new(secret.into());
        if secret.is_empty() {
            return Err(GcsKeyError);
        }
        Self::checked(access_id.into(), Secret::Hmac(secret))
    }

    fn checked(id: String, secret: Secret) -> Result<Self, GcsKeyError> {
        let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if plain { Ok(Self { id, secret }) } else { Err(GcsKeyError) }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self.secret {
            Secret::Rsa(_) => "GOOG4-RSA-SHA256",
            Secret::Hmac(_) => "GOOG4-HMAC-SHA256",
        }
    }

    /// Signs for one day, location `auto`.
    pub(super) fn sign(&self, date: &str, text: &str) -> Result<Vec<u8>, SignError> {
        match &self.secret {
            Secret::Rsa(key) => key.sign(text.as_bytes()),
            Secret::Hmac(secret) => {
                let mut key = Zeroizing::new(format!("GOOG4{}", secret.as_str()).into_bytes());
                for part in [date, "auto", "storage", "goog4_request", text] {
                    let mut mac = keyed(&key);
                    mac.update(part.as_bytes());
                    key = Zeroizing::new(mac.finalize().into_bytes().to_vec());
                }
                Ok(key.to_vec())
            }
        }
    }
}

impl fmt::Debug for GcsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// The key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a GCS key is a service account's e-mail address with its RSA key in PEM, or an HMAC key's id and secret"
)]
pub struct GcsKeyError;
