//! [`S3Signer`]: Signature Version 4 in the query.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use http::Method;
use secure_download_core::{AuditId, FileKey, Grant, SignError, SignedUrl, UrlSigner};
use sha2::{Digest as _, Sha256};

use super::day::DayCache;
use super::{CredentialProvider, Credentials, S3Bucket};
use crate::overrides::Overrides;
use crate::percent;
use crate::renewed::{Lasting as _, Renewed};
use crate::timestamp::Timestamp;
use crate::volumes::Volumes;

/// Seven days, the longest life that the protocol knows.
const LONGEST: u64 = 604_800;

/// Signs for S3 and compatible stores, without a word to the network.
///
/// - `Content-Type`, `Content-Disposition` and `Cache-Control` of the plan go into the signature, so the store sends
///   exactly these; a pinned version becomes `versionId`.
/// - No URL outlives the credentials that signed it, as far as their end is known, nor seven days.
/// - The key that is derived for a day, a region and a credential is kept: a URL costs one hash and one HMAC.
///
/// ```
/// use secure_download_presign::{Credentials, Presign, S3Bucket, S3Signer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")?;
/// // let credentials = Credentials::from_env()?;
/// let signer = S3Signer::new(S3Bucket::aws("eu-central-1", "scans")?, credentials)
///     .volume("tenant-7", S3Bucket::at("https://minio.example", "us-east-1", "tenant-7")?);
/// let strategy = Presign::new(signer);
/// # let _ = strategy;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct S3Signer {
    volumes: Volumes<Place>,
    source: Source,
    tells_audit_id: bool,
}

#[derive(Debug)]
enum Source {
    Fixed(Arc<Credentials>),
    Provider(Renewed<Credentials>),
}

impl S3Signer {
    /// Signs downloads that name no volume for `bucket`.
    #[must_use]
    pub fn new(bucket: S3Bucket, credentials: Credentials) -> Self {
        Self {
            volumes: Volumes::new(Place::new(bucket)),
            source: Source::Fixed(Arc::new(credentials)),
            tells_audit_id: false,
        }
    }

    /// As [`S3Signer::new`], with credentials that are renewed.
    ///
    /// The provider is asked for each URL. If it takes longer than to look into a cache, or fails, the latest credentials
    /// sign as long as they are good; after that a request waits five seconds at most.
    #[must_use]
    pub fn with_provider(bucket: S3Bucket, provider: impl CredentialProvider + 'static) -> Self {
        let provider = Arc::new(provider);
        let ask = move || -> BoxFuture<'static, _> {
            let provider = Arc::clone(&provider);
            Box::pin(async move { provider.credentials().await })
        };
        Self {
            volumes: Volumes::new(Place::new(bucket)),
            source: Source::Provider(Renewed::new(ask)),
            tells_audit_id: false,
        }
    }

    /// Signs downloads of the volume `name` for `bucket`. A download of a volume that was not given is not signed.
    #[must_use]
    pub fn volume(mut self, name: impl Into<String>, bucket: S3Bucket) -> Self {
        self.volumes.insert(name.into(), Place::new(bucket));
        self
    }

    /// Adds the audit id of each grant to its URL, as the parameter `x-audit-id`, so that the store's access log can be
    /// joined with the application's. S3 ignores parameters that begin with `x-`, and logs them
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>); so do the servers that speak its protocol
    /// and were tried: s3s and Ceph's gateway. The id is signed as all the rest, and opens nothing.
    #[must_use]
    pub fn tell_audit_id(mut self) -> Self {
        self.tells_audit_id = true;
        self
    }

    /// Signs with these credentials instead of the signer's own, for example with those that STS gave for one file.
    ///
    /// # Errors
    /// [`SignError::Inexpressible`] if the download names a volume that was not given, or a header of the plan is not
    /// printable ASCII. [`SignError::Failed`] if the credentials end within a second.
    pub fn sign_with(
        &self,
        credentials: &Arc<Credentials>,
        grant: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let download = grant.download();
        let place = self.volumes.find(download)?;
        let object = Object {
            key: download.key(),
            version: download.version_id(),
            overrides: Some(Overrides::of(grant)?),
            audit_id: self.tells_audit_id.then(|| grant.audit_id()),
        };
        place.sign(credentials, &object, method, lifetime, now)
    }
}

#[async_trait]
impl UrlSigner for S3Signer {
    fn name(&self) -> &'static str {
        "s3"
    }

    async fn sign(
        &self,
        grant: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        match &self.source {
            Source::Fixed(credentials) => self.sign_with(credentials, grant, method, lifetime, now),
            Source::Provider(provider) => {
                let (credentials, left) = provider.get(lifetime, now).await.map_err(SignError::Failed)?;
                self.sign_with(&credentials, grant, method, lifetime.min(left), now)
            }
        }
    }
}

/// What is asked of the store.
struct Object<'a> {
    key: &'a FileKey,
    version: Option<&'a str>,
    /// Absent in published vectors only.
    overrides: Option<Overrides<'a>>,
    audit_id: Option<AuditId>,
}

/// A bucket, and what is kept for it.
#[derive(Debug)]
struct Place {
    bucket: S3Bucket,
    days: DayCache,
    /// The canonical request from the end of the query on.
    canonical_end: String,
}

impl Place {
    fn new(bucket: S3Bucket) -> Self {
        let canonical_end = format!("\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", bucket.host());
        Self { bucket, days: DayCache::default(), canonical_end }
    }

    fn sign(
        &self,
        credentials: &Arc<Credentials>,
        object: &Object<'_>,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let now = Timestamp::of_signature(now)?;
        let lifetime = whole_seconds(lifetime, credentials, now)?;
        let day = self.days.get(credentials, self.bucket.region(), "s3", now);

        // Names sort as bytes: `X-Amz-` before the lower-case overrides.
        let mut url = String::with_capacity(1024);
        url.push_str(self.bucket.url());
        percent::push_path(&mut url, object.key.as_str());
        let path_end = url.len();
        url.push('?');
        day.push_query(&mut url, now, lifetime);
        if let Some(overrides) = &object.overrides {
            for (name, value) in [
                ("&response-cache-control=", overrides.cache_control),
                ("&response-content-disposition=", overrides.content_disposition),
                ("&response-content-type=", overrides.content_type),
            ] {
                url.push_str(name);
                percent::push(&mut url, value);
            }
        }
        if let Some(version) = object.version {
            url.push_str("&versionId=");
            percent::push(&mut url, version);
        }
        if let Some(audit_id) = object.audit_id {
            let _ = write!(url, "&x-audit-id={audit_id}");
        }

        let mut canonical = Sha256::new();
        canonical.update(method.as_str());
        canonical.update("\n");
        canonical.update(&url[self.bucket.origin_length()..path_end]);
        canonical.update("\n");
        canonical.update(&url[path_end + 1..]);
        canonical.update(&self.canonical_end);
        let signature = day.sign(now, canonical.finalize().into());
        url.push_str("&X-Amz-Signature=");
        url.extend(signature.map(char::from));
        Ok(SignedUrl::new(url, now.plus(lifetime).system_time()))
    }
}

/// How long a URL that is signed now may live.
fn whole_seconds(lifetime: Duration, credentials: &Credentials, now: Timestamp) -> Result<u64, SignError> {
    let seconds = lifetime.min(credentials.left(now.system_time())).as_secs().min(LONGEST);
    if seconds == 0 {
        return Err(SignError::Failed("the credentials end, or the URL would, within a second".into()));
    }
    Ok(seconds)
}

#[cfg(test)]
#[path = "vectors.rs"]
mod vectors;
