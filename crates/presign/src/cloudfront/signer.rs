//! [`CloudFrontSigner`]: signed URLs of a distribution.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Method;
use secure_download_core::{Grant, SignError, SignedUrl, UrlSigner};

use super::CloudFrontKey;
use super::policy::Policy;
use crate::endpoint::{self, Endpoint};
use crate::overrides::Overrides;
use crate::percent;
use crate::timestamp::Timestamp;
use crate::volumes::Volumes;

/// Signs for a distribution in front of a bucket, with SHA-256, without a word to the network.
///
/// The plan's headers are query parameters that S3 understands. They are part of the signed resource, so nobody can
/// change them; but the distribution must pass them on, which a signature cannot see: its origin request policy has to
/// include `response-cache-control`, `response-content-disposition`, `response-content-type` and `versionId`, its cache
/// key the same, and its origin access control has to sign all requests. Until [`CloudFrontSigner::origin_overrides`]
/// says that it does, every download is declined.
///
/// A URL is good for GET and HEAD.
///
/// ```no_run
/// use secure_download_presign::{CloudFrontKey, CloudFrontSigner, Presign};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = CloudFrontKey::new("K2JCJMDEHXQW5F", &std::fs::read_to_string("cloudfront.pem")?)?;
/// let signer = CloudFrontSigner::new("https://d111111abcdef8.cloudfront.net", key)?.origin_overrides();
/// let strategy = Presign::new(signer);
/// # let _ = strategy;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CloudFrontSigner {
    /// What URLs start with; each ends with `/`.
    volumes: Volumes<String>,
    key: CloudFrontKey,
    network: Option<String>,
    overrides: bool,
}

impl CloudFrontSigner {
    /// Signs downloads that name no volume for the distribution at this address: scheme and host.
    ///
    /// # Errors
    /// [`CloudFrontError::Address`] if it is more or less than that.
    pub fn new(address: &str, key: CloudFrontKey) -> Result<Self, CloudFrontError> {
        Ok(Self { volumes: Volumes::new(base(address)?), key, network: None, overrides: false })
    }

    /// Signs downloads of the volume `name` for another distribution.
    ///
    /// # Errors
    /// [`CloudFrontError::Address`] if the address is not scheme and host.
    pub fn volume(mut self, name: impl Into<String>, address: &str) -> Result<Self, CloudFrontError> {
        self.volumes.insert(name.into(), base(address)?);
        Ok(self)
    }

    /// Says that the distributions pass the overrides on to S3.
    #[must_use]
    pub fn origin_overrides(mut self) -> Self {
        self.overrides = true;
        self
    }

    /// Signs custom policies that let only clients of this network in, such as `192.0.2.0/24`.
    ///
    /// # Errors
    /// [`CloudFrontError::Network`] if that is no IPv4 network, which is all that CloudFront takes.
    pub fn only_from(mut self, network: &str) -> Result<Self, CloudFrontError> {
        let (address, bits) = network.split_once('/').ok_or(CloudFrontError::Network)?;
        let address: IpAddr = address.parse().map_err(|_| CloudFrontError::Network)?;
        if !address.is_ipv4() || !bits.parse::<u8>().is_ok_and(|bits| bits <= 32) {
            return Err(CloudFrontError::Network);
        }
        self.network = Some(network.to_owned());
        Ok(self)
    }
}

fn base(address: &str) -> Result<String, CloudFrontError> {
    let Endpoint { scheme, authority, path } = endpoint::parse(address).ok_or(CloudFrontError::Address)?;
    Ok(format!("{scheme}://{authority}{path}/"))
}

#[async_trait]
impl UrlSigner for CloudFrontSigner {
    fn name(&self) -> &'static str {
        "cloudfront"
    }

    async fn sign(
        &self,
        grant: &Grant,
        _: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let download = grant.download();
        let mut url = self.volumes.find(download)?.clone();
        if !self.overrides {
            return Err(SignError::Inexpressible("the distribution is not said to pass overrides on"));
        }
        let overrides = Overrides::of(grant)?;
        let now = Timestamp::of_signature(now)?;
        if lifetime.as_secs() == 0 {
            return Err(SignError::Failed("the URL would end within a second".into()));
        }
        percent::push_path(&mut url, download.key().as_str());
        let version = download.version_id();
        for (name, value) in [
            ("?response-cache-control=", overrides.cache_control),
            ("&response-content-disposition=", overrides.content_disposition),
            ("&response-content-type=", overrides.content_type),
        ]
        .into_iter()
        .chain(version.map(|version| ("&versionId=", version)))
        {
            url.push_str(name);
            percent::push(&mut url, value);
        }
        let expires_at = now.plus(lifetime.as_secs());
        // The encoder leaves no `*` and no `?` but the query's own: neither can widen the resource beyond one URL.
        let resource = url.clone();
        let policy = Policy {
            resource: &resource,
            until: expires_at.seconds(),
            network: self.network.as_deref(),
            from: None,
        };
        let json = policy.json();
        let signature = self.key.key.sign(json.as_bytes())?;
        policy.push_parameters(&mut url, &json, &signature, &self.key.id, Some("SHA256"));
        Ok(SignedUrl::new(url, expires_at.system_time()))
    }
}

/// Why a distribution cannot be signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloudFrontError {
    /// The address is not scheme and host.
    #[error("a distribution's address is `https://HOST` and nothing else")]
    Address,
    /// The network is not IPv4 with a prefix length.
    #[error("a network is an IPv4 address and a prefix length, such as 192.0.2.0/24")]
    Network,
}
