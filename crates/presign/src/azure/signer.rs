//! [`AzureSigner`]: shared access signatures for one blob.
//!
//! <https://learn.microsoft.com/rest/api/storageservices/create-service-sas>,
//! <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use http::Method;
use secure_download_core::{FileKey, Grant, SignError, SignedUrl, UrlSigner};

use super::{AzureContainer, AzureKey, AzureKeyProvider};
use crate::overrides::Overrides;
use crate::percent;
use crate::renewed::Renewed;
use crate::timestamp::Timestamp;
use crate::volumes::Volumes;

/// The version decides which lines are signed, so it is never a parameter.
const VERSION: &str = "2023-11-03";

/// Signs for Azure Blob Storage: read permission for one blob, for GET and HEAD, without a word to the network.
///
/// `Content-Type`, `Content-Disposition` and `Cache-Control` of the plan go into the signature. No URL outlives a delegated
/// key. Declined are pinned versions, and keys with a segment that ends with a dot, which Azure does not keep apart.
///
/// ```
/// use secure_download_presign::{AzureContainer, AzureKey, AzureSigner, Presign};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let account_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// let key = AzureKey::account(account_key)?;
/// let signer = AzureSigner::new(AzureContainer::new("myaccount", "scans")?, key);
/// let strategy = Presign::new(signer);
/// # let _ = strategy;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AzureSigner {
    volumes: Volumes<AzureContainer>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Fixed(Arc<AzureKey>),
    Provider(Renewed<AzureKey>),
}

impl AzureSigner {
    /// Signs downloads that name no volume for `container`.
    #[must_use]
    pub fn new(container: AzureContainer, key: AzureKey) -> Self {
        Self { volumes: Volumes::new(container), source: Source::Fixed(Arc::new(key)) }
    }

    /// As [`AzureSigner::new`], with keys that are renewed.
    ///
    /// The provider is asked for each URL. If it takes longer than to look into a cache, or fails, the latest key signs as
    /// long as it is good; after that a request waits five seconds at most.
    #[must_use]
    pub fn with_provider(container: AzureContainer, provider: impl AzureKeyProvider + 'static) -> Self {
        let provider = Arc::new(provider);
        let ask = move || -> BoxFuture<'static, _> {
            let provider = Arc::clone(&provider);
            Box::pin(async move { provider.key().await })
        };
        Self { volumes: Volumes::new(container), source: Source::Provider(Renewed::new(ask)) }
    }

    /// Signs downloads of the volume `name` for `container`.
    #[must_use]
    pub fn volume(mut self, name: impl Into<String>, container: AzureContainer) -> Self {
        self.volumes.insert(name.into(), container);
        self
    }
}

#[async_trait]
impl UrlSigner for AzureSigner {
    fn name(&self) -> &'static str {
        "azure"
    }

    async fn sign(
        &self,
        grant: &Grant,
        _: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let download = grant.download();
        let container = self.volumes.find(download)?;
        if download.version_id().is_some() {
            return Err(SignError::Inexpressible("versions of blobs are not signed"));
        }
        if download.key().segments().any(|segment| segment.ends_with('.')) {
            return Err(SignError::Inexpressible("Azure keeps no dot at the end of a segment"));
        }
        let overrides = Overrides::of(grant)?;
        let now = Timestamp::of_signature(now)?;
        let key = match &self.source {
            Source::Fixed(key) => Arc::clone(key),
            Source::Provider(provider) => {
                let (key, _) = provider.get(lifetime, now.system_time()).await.map_err(SignError::Failed)?;
                key
            }
        };
        let mut expires_at = now.plus(lifetime.as_secs());
        if let Some(delegated) = &key.delegated {
            expires_at = expires_at.min(delegated.expires_at);
        }
        if expires_at <= now {
            return Err(SignError::Failed("the key ends, or the URL would, within a second".into()));
        }
        let sas = Sas {
            container,
            key: download.key(),
            overrides,
            expires_at: &expires_at.rfc3339(),
            protocol: container.protocol(),
            version: VERSION,
        };
        Ok(SignedUrl::new(sas.url(&key), expires_at.system_time()))
    }
}

/// One shared access signature.
struct Sas<'a> {
    container: &'a AzureContainer,
    key: &'a FileKey,
    overrides: Overrides<'a>,
    expires_at: &'a str,
    protocol: &'a str,
    version: &'a str,
}

impl Sas<'_> {
    /// The lines of version 2020-12-06 and later: 16 for an account's key, 24 for a delegated one.
    fn text(&self, key: &AzureKey) -> String {
        let resource = format!("{}{}", self.container.resource(), self.key);
        let mut lines = vec!["r", "", self.expires_at, &resource];
        match &key.delegated {
            // No stored policy.
            None => lines.push(""),
            Some(delegated) => lines.extend([
                delegated.object_id.as_str(),
                &delegated.tenant_id,
                &delegated.start,
                &delegated.end,
                "b",
                &delegated.version,
                // Nobody else's object ids, no correlation id.
                "",
                "",
                "",
            ]),
        }
        // No address range; no snapshot, no encryption scope; no Content-Encoding, no Content-Language.
        lines.extend(["", self.protocol, self.version, "b", "", ""]);
        let Overrides { cache_control, content_disposition, content_type } = self.overrides;
        lines.extend([cache_control, content_disposition, "", "", content_type]);
        lines.join("\n")
    }

    fn url(&self, key: &AzureKey) -> String {
        let signature = key.sign(&self.text(key));
        let mut url = String::with_capacity(1024);
        url.push_str(self.container.url());
        percent::push_path(&mut url, self.key.as_str());
        let mut parameters =
            vec![("?sv", self.version), ("&se", self.expires_at), ("&sr", "b"), ("&sp", "r")];
        if let Some(delegated) = &key.delegated {
            parameters.extend([
                ("&skoid", delegated.object_id.as_str()),
                ("&sktid", &delegated.tenant_id),
                ("&skt", &delegated.start),
                ("&ske", &delegated.end),
                ("&sks", "b"),
                ("&skv", &delegated.version),
            ]);
        }
        parameters.extend([
            ("&spr", self.protocol),
            ("&rscc", self.overrides.cache_control),
            ("&rscd", self.overrides.content_disposition),
            ("&rsct", self.overrides.content_type),
            ("&sig", &signature),
        ]);
        for (name, value) in parameters {
            if !value.is_empty() {
                url.push_str(name);
                url.push('=');
                percent::push(&mut url, value);
            }
        }
        url
    }
}

#[cfg(test)]
#[path = "vectors.rs"]
mod vectors;
