//! [`UrlSigner`]: short-lived URLs for granted files.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Method;

use crate::{BoxError, Grant};

/// Signs a URL under which storage itself delivers one granted file for a short time.
///
/// Presigned redirects and buckets behind a proxy share it. It takes a [`Grant`], so nothing can be signed that was not
/// granted.
#[async_trait]
pub trait UrlSigner: Send + Sync {
    /// A short name for logs, such as `s3`.
    fn name(&self) -> &'static str;

    /// Signs `method` on the granted file from `now` on, for `lifetime`.
    ///
    /// The store's answer must carry the plan's `Content-Type`, `Content-Disposition` and `Cache-Control`.
    ///
    /// # Errors
    /// [`SignError::Inexpressible`] if the key or a header of the plan cannot be carried: a signer never drops one in
    /// silence. [`SignError::Failed`] if there is no credential to sign with.
    async fn sign(
        &self,
        grant: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError>;
}

macro_rules! forward {
    ($($pointer:ident)*) => {$(
        #[async_trait]
        impl<U: UrlSigner + ?Sized> UrlSigner for $pointer<U> {
            fn name(&self) -> &'static str {
                (**self).name()
            }

            async fn sign(
                &self,
                grant: &Grant,
                method: &Method,
                lifetime: Duration,
                now: SystemTime,
            ) -> Result<SignedUrl, SignError> {
                (**self).sign(grant, method, lifetime, now).await
            }
        }
    )*};
}
forward!(Arc Box);

/// A URL that opens a private file for whoever holds it. `Debug` shows neither path nor query.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl {
    url: String,
    expires_at: SystemTime,
}

impl SignedUrl {
    /// A URL that a signer made, and when it stops working.
    #[must_use]
    pub fn new(url: String, expires_at: SystemTime) -> Self {
        Self { url, expires_at }
    }

    /// The whole URL. Keep it out of logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.url
    }

    /// When it stops working.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedUrl").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why no URL was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key or a header that the client must see cannot be carried by this store's URLs. Another strategy may
    /// serve the file.
    #[error("not expressible in a signed URL: {0}")]
    Inexpressible(&'static str),
    /// The signer itself failed, for example for want of a credential.
    #[error("signing failed")]
    Failed(#[source] BoxError),
}
