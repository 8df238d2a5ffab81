//! [`AzureKey`]: the account's key, or one that Azure delegated to a user.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64ct::{Base64, Encoding as _};
use hmac::Mac as _;
use secure_download_core::BoxError;
use zeroize::Zeroizing;

use crate::mac::{Mac, keyed};
use crate::renewed::Lasting;
use crate::timestamp::Timestamp;

/// What signs for Azure. `Debug` shows no secret.
#[derive(Clone)]
pub struct AzureKey {
    mac: Mac,
    pub(super) delegated: Option<Delegated>,
}

/// What Azure says about a user delegation key, as its URLs repeat it.
#[derive(Clone)]
pub(super) struct Delegated {
    pub(super) object_id: String,
    pub(super) tenant_id: String,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) expires_at: Timestamp,
    pub(super) version: String,
}

/// The answer to Get User Delegation Key, field by field: a key that signs what its user may do, for at most seven days.
///
/// <https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>
#[derive(Clone)]
#[non_exhaustive]
pub struct AzureDelegationKey {
    /// `SignedOid`.
    pub object_id: String,
    /// `SignedTid`.
    pub tenant_id: String,
    /// `SignedStart`.
    pub start: SystemTime,
    /// `SignedExpiry`. No URL is signed to live longer.
    pub expires_at: SystemTime,
    /// `SignedVersion`.
    pub version: String,
    /// `Value`, base64.
    pub value: Zeroizing<String>,
}

impl AzureDelegationKey {
    /// A key of the user `object_id` in `tenant_id`, from `start` to `expires_at`. `version` and the base64 `value` as
    /// Azure sent them.
    #[must_use]
    pub fn new(
        object_id: impl Into<String>,
        tenant_id: impl Into<String>,
        start: SystemTime,
        expires_at: SystemTime,
        version: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            object_id: object_id.into(),
            tenant_id: tenant_id.into(),
            start,
            expires_at,
            version: version.into(),
            value: Zeroizing::new(value.into()),
        }
    }
}

impl AzureKey {
    /// The account's key, base64 as the portal shows it. It can do everything to the account: prefer a delegated one.
    ///
    /// # Errors
    /// [`AzureKeyError`] if it is not base64.
    pub fn account(key: &str) -> Result<Self, AzureKeyError> {
        Ok(Self { mac: decode(key)?, delegated: None })
    }

    /// A key that Azure delegated.
    ///
    /// # Errors
    /// [`AzureKeyError`] if a field is malformed.
    pub fn delegation(key: &AzureDelegationKey) -> Result<Self, AzureKeyError> {
        let plain = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && text.len() <= 64
        };
        let moment = |time| Timestamp::new(time).ok_or(AzureKeyError);
        if ![&key.object_id, &key.tenant_id, &key.version].into_iter().all(|text| plain(text)) {
            return Err(AzureKeyError);
        }
        let expires_at = moment(key.expires_at)?;
        let delegated = Delegated {
            object_id: key.object_id.clone(),
            tenant_id: key.tenant_id.clone(),
            start: moment(key.start)?.rfc3339(),
            end: expires_at.rfc3339(),
            expires_at,
            version: key.version.clone(),
        };
        Ok(Self { mac: decode(&key.value)?, delegated: Some(delegated) })
    }

    pub(super) fn sign(&self, text: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(text.as_bytes());
        Base64::encode_string(&mac.finalize().into_bytes())
    }
}

fn decode(key: &str) -> Result<Mac, AzureKeyError> {
    let bytes = Base64::decode_vec(key).map(Zeroizing::new).map_err(|_| AzureKeyError)?;
    if bytes.len() < 32 { Err(AzureKeyError) } else { Ok(keyed(&bytes)) }
}

impl Lasting for AzureKey {
    fn left(&self, now: SystemTime) -> Duration {
        let end = self.delegated.as_ref().map(|delegated| delegated.expires_at.system_time());
        end.map_or(Duration::MAX, |end| end.duration_since(now).unwrap_or_default())
    }
}

impl fmt::Debug for AzureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureKey").field("delegated", &self.delegated.is_some()).finish_non_exhaustive()
    }
}

impl fmt::Debug for AzureDelegationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureDelegationKey").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Where the current key comes from, for keys that are renewed while the application runs.
#[async_trait]
pub trait AzureKeyProvider: Send + Sync {
    /// The key to sign with now.
    ///
    /// # Errors
    /// Any error is answered with 503, unless the key that was given before is still good.
    async fn key(&self) -> Result<Arc<AzureKey>, BoxError>;
}

#[async_trait]
impl<P: AzureKeyProvider + ?Sized> AzureKeyProvider for Arc<P> {
    async fn key(&self) -> Result<Arc<AzureKey>, BoxError> {
        (**self).key().await
    }
}

/// The key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Azure key is base64 of at least 32 bytes; a delegated one comes with ids, dates and a version")]
pub struct AzureKeyError;
