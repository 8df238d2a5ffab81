//! [`GcsBucket`]: where a bucket is reached.

use crate::endpoint::{self, Endpoint};

/// A bucket, and the address under which clients reach it.
///
/// ```
/// use secure_download_presign::GcsBucket;
///
/// let bucket = GcsBucket::new("scans")?;
/// assert_eq!(bucket.url(), "https://storage.googleapis.com/scans/");
/// assert_eq!(GcsBucket::new("scans")?.virtual_host().url(), "https://scans.storage.googleapis.com/");
/// assert_eq!(GcsBucket::at("https://x.example/gcs", "scans")?.url(), "https://x.example/gcs/scans/");
/// assert_eq!(GcsBucket::bound("https://files.example")?.url(), "https://files.example/");
/// # Ok::<(), secure_download_presign::GcsBucketError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcsBucket {
    scheme: &'static str,
    authority: String,
    /// Between the host and the key; begins and ends with `/`.
    folder: String,
    prefix: String,
    /// Whether the host stands for the bucket already.
    bound: bool,
}

impl GcsBucket {
    /// A bucket under `storage.googleapis.com`.
    ///
    /// # Errors
    /// [`GcsBucketError`] if that is no bucket's name.
    pub fn new(bucket: &str) -> Result<Self, GcsBucketError> {
        Self::at("https://storage.googleapis.com", bucket)
    }

    /// A bucket of another endpoint: scheme, host and port, behind them a path if it has one.
    ///
    /// # Errors
    /// [`GcsBucketError`] if either is malformed.
    pub fn at(endpoint: &str, bucket: &str) -> Result<Self, GcsBucketError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let length = (3..=222).contains(&bucket.len());
        if !length || !bucket.chars().all(plain) || bucket.starts_with('.') || bucket.contains("..") {
            return Err(GcsBucketError);
        }
        let Endpoint { scheme, authority, path } = endpoint::parse(endpoint).ok_or(GcsBucketError)?;
        Ok(Self::assemble(scheme, authority, format!("{path}/{bucket}/")))
    }

    /// A bucket that has a domain of its own.
    ///
    /// # Errors
    /// [`GcsBucketError`] if the address is not scheme, host, port and path.
    pub fn bound(endpoint: &str) -> Result<Self, GcsBucketError> {
        let Endpoint { scheme, authority, path } = endpoint::parse(endpoint).ok_or(GcsBucketError)?;
        Ok(Self { bound: true, ..Self::assemble(scheme, authority, format!("{path}/")) })
    }

    /// The same bucket as a host. One with dots in its name, below a path, or with a domain of its own, stays where it is.
    #[must_use]
    pub fn virtual_host(self) -> Self {
        let name = self.folder.trim_matches('/');
        if self.bound || name.contains(['.', '_', '/']) {
            return self;
        }
        let authority = format!("{name}.{}", self.authority);
        Self { bound: true, ..Self::assemble(self.scheme, authority, "/".to_owned()) }
    }

    fn assemble(scheme: &'static str, authority: String, folder: String) -> Self {
        let prefix = format!("{scheme}://{authority}{folder}");
        Self { scheme, authority, folder, prefix, bound: false }
    }

    /// What the URL of every object starts with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.prefix
    }

    /// Scheme and authority.
    pub(super) fn origin(&self) -> &str {
        &self.prefix[..self.prefix.len() - self.folder.len()]
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// As signatures name it: without a port.
    pub(super) fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }
}

/// The bucket cannot be addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a bucket's name has 3 to 222 of a-z, 0-9, `-`, `_` and single dots; an address is scheme, host and port, and a path if need be"
)]
pub struct GcsBucketError;
