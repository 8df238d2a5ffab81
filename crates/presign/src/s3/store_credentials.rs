//! [`StoreCredentials`]: credentials from wherever `object_store` finds them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use secure_download_core::BoxError;

use super::{CredentialProvider, Credentials};

/// `object_store` renews temporary credentials that end within this time, and does not say when the others end.
const LEFT_AT_LEAST: Duration = Duration::from_secs(300);

/// Signs with the credentials of an `object_store` client: static ones, the environment's, and those of the instance
/// (`IMDSv2`), the container (ECS, EKS) or a web identity, renewed in time.
///
/// URLs that temporary credentials sign live for at most five minutes: that long the credentials are certain to last.
///
/// ```no_run
/// use object_store::aws::AmazonS3Builder;
/// use secure_download_presign::{S3Bucket, S3Signer, StoreCredentials};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = AmazonS3Builder::from_env().with_bucket_name("scans").build()?;
/// let credentials = StoreCredentials::new(Arc::clone(store.credentials()));
/// let signer = S3Signer::with_provider(S3Bucket::aws("eu-central-1", "scans")?, credentials);
/// # let _ = signer;
/// # Ok(())
/// # }
/// ```
pub struct StoreCredentials {
    provider: AwsCredentialProvider,
    latest: Mutex<Option<(Arc<AwsCredential>, Arc<Credentials>)>>,
}

impl StoreCredentials {
    /// Takes them from this provider, for example from `AmazonS3::credentials`.
    #[must_use]
    pub fn new(provider: AwsCredentialProvider) -> Self {
        Self { provider, latest: Mutex::new(None) }
    }
}

#[async_trait]
impl CredentialProvider for StoreCredentials {
    async fn credentials(&self) -> Result<Arc<Credentials>, BoxError> {
        let theirs = self.provider.get_credential().await?;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, ours)) = &*latest
            && Arc::ptr_eq(known, &theirs)
        {
            return Ok(Arc::clone(ours));
        }
        let mut ours = Credentials::new(theirs.key_id.as_str(), theirs.secret_key.as_str())?;
        if let Some(token) = &theirs.token {
            ours = ours.session_token(token.as_str()).lasting_at_least(LEFT_AT_LEAST);
        }
        let ours = Arc::new(ours);
        *latest = Some((theirs, Arc::clone(&ours)));
        Ok(ours)
    }
}

impl fmt::Debug for StoreCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreCredentials").finish_non_exhaustive()
    }
}
