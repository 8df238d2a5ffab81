//! [`StoreSigner`]: signs with any `object_store` that can.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Method;
use object_store::Error;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer, Url};
use secure_download_core::{Grant, SignError, SignedUrl, UrlSigner};

use crate::in_time::{Silent, in_time};
use crate::overrides::Overrides;
use crate::timestamp::Timestamp;
use crate::volumes::Volumes;

/// Lets an `object_store` client sign.
///
/// Whatever the client returns is checked: a URL in which a header of the plan is missing or changed is not used. The
/// client takes no date, so `now` only counts for [`SignedUrl::expires_at`]. A client that cannot sign headers into a
/// URL, as Azure's, declines every download.
///
/// ```no_run
/// use object_store::aws::AmazonS3Builder;
/// use secure_download_presign::{Presign, StoreSigner};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = AmazonS3Builder::from_env().with_bucket_name("scans").build()?;
/// let strategy = Presign::new(StoreSigner::new(Arc::new(store)));
/// # let _ = strategy;
/// # Ok(())
/// # }
/// ```
pub struct StoreSigner {
    volumes: Volumes<Arc<dyn Signer>>,
    version: &'static str,
    stored_cache_control: Option<Cow<'static, str>>,
}

impl StoreSigner {
    /// Signs downloads that name no volume with `store`, which understands the query parameters of S3.
    #[must_use]
    pub fn new(store: Arc<dyn Signer>) -> Self {
        Self { volumes: Volumes::new(store), version: "versionId", stored_cache_control: None }
    }

    /// As [`StoreSigner::new`], for Google Cloud Storage, whose versions are generations. It has no parameter for
    /// `Cache-Control`, so see [`StoreSigner::stored_cache_control`].
    ///
    /// Needs no private key: with a machine's account or workload identity, the client asks Google to sign each URL
    /// (`signBlob` of the IAM Credentials API,
    /// <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob>). The account
    /// needs the permission `iam.serviceAccounts.signBlob` for itself. Each URL costs one request to Google.
    ///
    /// ```no_run
    /// use object_store::gcp::GoogleCloudStorageBuilder;
    /// use secure_download_presign::{Presign, StoreSigner};
    /// use std::sync::Arc;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = GoogleCloudStorageBuilder::from_env().with_bucket_name("scans").build()?;
    /// let signer = StoreSigner::gcs(Arc::new(store)).stored_cache_control("private, no-store");
    /// let strategy = Presign::new(signer);
    /// # let _ = strategy;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn gcs(store: Arc<dyn Signer>) -> Self {
        Self { version: "generation", ..Self::new(store) }
    }

    /// Says that every object is stored with this `Cache-Control`, exactly. Downloads whose plan says the same need no
    /// parameter for it.
    #[must_use]
    pub fn stored_cache_control(mut self, value: impl Into<Cow<'static, str>>) -> Self {
        self.stored_cache_control = Some(value.into());
        self
    }

    /// Signs downloads of the volume `name` with `store`.
    #[must_use]
    pub fn volume(mut self, name: impl Into<String>, store: Arc<dyn Signer>) -> Self {
        self.volumes.insert(name.into(), store);
        self
    }

    fn parameters(&self, grant: &Grant) -> Result<Vec<(&'static str, String)>, SignError> {
        let overrides = Overrides::of(grant)?;
        let mut parameters = vec![
            ("response-content-disposition", overrides.content_disposition.to_owned()),
            ("response-content-type", overrides.content_type.to_owned()),
        ];
        if self.stored_cache_control.as_deref() != Some(overrides.cache_control) {
            if self.version == "generation" {
                return Err(SignError::Inexpressible("this store signs no Cache-Control"));
            }
            parameters.push(("response-cache-control", overrides.cache_control.to_owned()));
        }
        if let Some(version) = grant.download().version_id() {
            parameters.push((self.version, version.to_owned()));
        }
        Ok(parameters)
    }
}

#[async_trait]
impl UrlSigner for StoreSigner {
    fn name(&self) -> &'static str {
        "object_store"
    }

    async fn sign(
        &self,
        grant: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let store = self.volumes.find(grant.download())?;
        let parameters = self.parameters(grant)?;
        let path = Path::parse(grant.download().key())
            .map_err(|_| SignError::Inexpressible("the key is no path of object_store"))?;
        let lifetime = Duration::from_secs(lifetime.as_secs());
        let options = SignedUrlOptions::new().with_query(parameters.iter().cloned());
        let signing = store.signed_url_opts(method.clone(), &path, lifetime, &options);
        let signed = in_time(signing).await.map_err(|Silent| SignError::Failed(Silent.into()))?;
        let url = match signed {
            Ok(url) => url,
            Err(Error::NotSupported { .. }) => {
                return Err(SignError::Inexpressible("this store signs no headers into a URL"));
            }
            Err(error) => return Err(SignError::Failed(error.into())),
        };
        if !carries(&url, path.as_ref(), &parameters) {
            return Err(SignError::Inexpressible("the store dropped or changed what was to be signed"));
        }
        Ok(SignedUrl::new(url.into(), Timestamp::of_signature(now)?.system_time() + lifetime))
    }
}

/// Whether every parameter stands in the URL exactly once, and the path ends with the key.
fn carries(url: &Url, key: &str, parameters: &[(&str, String)]) -> bool {
    let path = percent_encoding::percent_decode_str(url.path());
    path.collect::<Vec<u8>>().ends_with(format!("/{key}").as_bytes())
        && parameters.iter().all(|(name, value)| {
            let mut values = url.query_pairs().filter(|(known, _)| known == name);
            values.next().is_some_and(|(_, found)| found == value.as_str()) && values.next().is_none()
        })
}

impl fmt::Debug for StoreSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's own Debug may hold its credentials.
        f.debug_struct("StoreSigner").finish_non_exhaustive()
    }
}
