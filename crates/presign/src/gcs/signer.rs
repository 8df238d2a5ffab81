//! [`GcsSigner`]: V4 signed URLs.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Method;
use secure_download_core::{Grant, SignError, SignedUrl, UrlSigner};

use super::unsigned::Unsigned;
use super::{GcsBucket, GcsKey};
use crate::overrides::Overrides;
use crate::percent;
use crate::timestamp::Timestamp;
use crate::volumes::Volumes;

/// Seven days, the longest life that the protocol knows.
const LONGEST: u64 = 604_800;

/// Signs for Google Cloud Storage, V4, without a word to the network.
///
/// `Content-Type` and `Content-Disposition` of the plan go into the signature, a pinned version becomes `generation`.
/// There is no parameter for `Cache-Control`: the store sends what the object was stored with. So a download is
/// declined unless [`GcsSigner::stored_cache_control`] says that this is what the plan asks for.
///
/// An account whose private key Google keeps (workload identity, a machine's own account) signs by
/// `iam.serviceAccounts.signBlob`: take `StoreSigner::gcs` of the feature `object_store` for it.
///
/// ```no_run
/// use secure_download_presign::{GcsBucket, GcsKey, GcsSigner, Presign};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = GcsKey::from_json(&std::fs::read("service-account.json")?)?;
/// let signer = GcsSigner::new(GcsBucket::new("scans")?, key).stored_cache_control("private, no-store");
/// let strategy = Presign::new(signer);
/// # let _ = strategy;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GcsSigner {
    volumes: Volumes<GcsBucket>,
    key: GcsKey,
    stored_cache_control: Option<Cow<'static, str>>,
}

impl GcsSigner {
    /// Signs downloads that name no volume for `bucket`.
    #[must_use]
    pub fn new(bucket: GcsBucket, key: GcsKey) -> Self {
        Self { volumes: Volumes::new(bucket), key, stored_cache_control: None }
    }

    /// Says that every object is stored with this `Cache-Control`, exactly as plans write it.
    #[must_use]
    pub fn stored_cache_control(mut self, value: impl Into<Cow<'static, str>>) -> Self {
        self.stored_cache_control = Some(value.into());
        self
    }

    /// Signs downloads of the volume `name` for `bucket`.
    #[must_use]
    pub fn volume(mut self, name: impl Into<String>, bucket: GcsBucket) -> Self {
        self.volumes.insert(name.into(), bucket);
        self
    }
}

#[async_trait]
impl UrlSigner for GcsSigner {
    fn name(&self) -> &'static str {
        "gcs"
    }

    async fn sign(
        &self,
        grant: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let download = grant.download();
        let bucket = self.volumes.find(download)?;
        let overrides = Overrides::of(grant)?;
        if self.stored_cache_control.as_deref() != Some(overrides.cache_control) {
            return Err(SignError::Inexpressible("Google Cloud Storage signs no Cache-Control"));
        }
        let now = Timestamp::of_signature(now)?;
        let lifetime = lifetime.as_secs().min(LONGEST);
        if lifetime == 0 {
            return Err(SignError::Failed("the URL would end within a second".into()));
        }
        let mut path = bucket.folder().to_owned();
        percent::push_path(&mut path, download.key().as_str());
        let mut query = vec![
            ("response-content-disposition", overrides.content_disposition),
            ("response-content-type", overrides.content_type),
        ];
        query.extend(download.version_id().map(|version| ("generation", version)));
        let unsigned = Unsigned {
            method: method.as_str(),
            origin: bucket.origin(),
            path: &path,
            headers: &[("host", bucket.host())],
            query: &query,
            payload: "UNSIGNED-PAYLOAD",
        };
        let url = unsigned.to_sign(&self.key, now, lifetime).sign(&self.key)?;
        Ok(SignedUrl::new(url, now.plus(lifetime).system_time()))
    }
}
