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
    /// [`GcsKeyError::Malformed`] if the key cannot be read.
    pub fn service_account(client_email: impl Into<String>, pem: &str) -> Result<Self, GcsKeyError> {
        let secret = Secret::Rsa(PrivateKey::rsa(pem).ok_or(GcsKeyError::Malformed)?);
        Self::checked(client_email.into(), secret)
    }

    /// A service account's key file, as Google's console gives it.
    ///
    /// # Errors
    /// [`GcsKeyError::NoPrivateKey`] for the files of workload identity and of a user's login, which hold none: the crate's
    /// `StoreSigner::gcs` signs for these. [`GcsKeyError::Malformed`] if the file holds no `client_email`, or no
    /// `private_key` that can be read.
    pub fn from_json(file: &[u8]) -> Result<Self, GcsKeyError> {
        let file: serde_json::Value = serde_json::from_slice(file).map_err(|_| GcsKeyError::Malformed)?;
        if file["type"].as_str().is_some_and(|kind| kind != "service_account")
            && file["private_key"].is_null()
        {
            return Err(GcsKeyError::NoPrivateKey);
        }
        let text = |name: &str| file[name].as_str().ok_or(GcsKeyError::Malformed);
        Self::service_account(text("client_email")?, text("private_key")?)
    }

    /// An HMAC key: two hundred times faster than RSA.
    ///
    /// # Errors
    /// [`GcsKeyError::Malformed`] if either part is empty.
    pub fn hmac(access_id: impl Into<String>, secret: impl Into<String>) -> Result<Self, GcsKeyError> {
        let secret = Zeroizing::new(secret.into());
        if secret.is_empty() {
            return Err(GcsKeyError::Malformed);
        }
        Self::checked(access_id.into(), Secret::Hmac(secret))
    }

    fn checked(id: String, secret: Secret) -> Result<Self, GcsKeyError> {
        let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if plain { Ok(Self { id, secret }) } else { Err(GcsKeyError::Malformed) }
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

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GcsKeyError {
    /// A part is missing or cannot be read.
    #[error(
        "a GCS key is a service account's e-mail address with its RSA key in PEM, or an HMAC key's id and secret"
    )]
    Malformed,
    /// The file names an account whose key Google keeps.
    #[error(
        "the file holds no private key (workload identity or a user's login): let Google sign, with `StoreSigner::gcs` over \
         object_store's GoogleCloudStorage"
    )]
    NoPrivateKey,
}
