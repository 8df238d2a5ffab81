//! The presign strategy: an authorised client is sent to the store itself, with a URL that lives for seconds.
//!
//! [`Presign`] turns a grant into a redirect. A [`UrlSigner`](secure_download_core::UrlSigner) makes the URL, so the
//! store is exchanged in one line.
//!
//! # What reaches the client
//! The store answers the signed URL, so it can only send what a signature can carry:
//!
//! | header of the plan | on the store's answer |
//! |---|---|
//! | `Content-Type`, `Content-Disposition`, `Cache-Control` | signed into the URL; what a signer cannot carry, it does not sign |
//! | `X-Content-Type-Options`, `Cross-Origin-Resource-Policy`, `Referrer-Policy` | on the redirect only |
//! | `Content-Security-Policy`, of inline content and of attachments | no: the bucket's own origin, which holds no cookie of the application, confines it |
//! | a transfer rate | no: a download with a rate is declined |
//!
//! `SecureLink` carries none of them: nginx sends the same headers for every file, and a grant for others is declined.
//!
//! A declined download goes to the next strategy of a [`FirstOf`](secure_download_core::FirstOf).
//!
//! # Single-page applications
//! A script that sends a bearer token should not follow a redirect with it. With [`Presign::json`], a client whose
//! `Accept` prefers `application/json` is answered `{"url": "...", "expires_at": "2026-01-01T00:00:05Z"}` instead, and
//! fetches the URL without its token. The bucket must then allow the application's origin; for S3:
//!
//! ```json
//! [{
//!   "AllowedOrigins": ["https://app.example"],
//!   "AllowedMethods": ["GET", "HEAD"],
//!   "AllowedHeaders": ["range", "if-match", "if-none-match", "if-range"],
//!   "ExposeHeaders": ["content-disposition", "content-range", "etag"],
//!   "MaxAgeSeconds": 600
//! }]
//! ```

mod accept;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "cloudfront")]
mod cloudfront;
mod conditional;
#[cfg(any(
    feature = "s3",
    feature = "gcs",
    feature = "azure",
    feature = "cloudfront",
    feature = "secure-link"
))]
mod endpoint;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(any(feature = "s3", feature = "gcs"))]
mod hex;
#[cfg(any(feature = "s3", feature = "azure", feature = "object_store"))]
mod in_time;
mod json;
mod lifetime;
#[cfg(feature = "local")]
mod local;
#[cfg(any(feature = "s3", feature = "local", feature = "gcs", feature = "azure"))]
mod mac;
#[allow(dead_code, reason = "each signer uses its own part")]
mod overrides;
#[cfg(any(
    feature = "s3",
    feature = "gcs",
    feature = "azure",
    feature = "cloudfront",
    feature = "secure-link"
))]
#[allow(dead_code, reason = "each signer uses its own part")]
mod percent;
#[cfg(any(feature = "gcs", feature = "cloudfront"))]
mod private_key;
#[cfg(any(feature = "s3", feature = "azure"))]
mod renewed;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "secure-link")]
mod secure_link;
#[cfg(feature = "object_store")]
mod store;
mod strategy;
#[cfg(feature = "sts")]
mod sts;
#[allow(dead_code, reason = "each signer uses its own part")]
mod timestamp;
#[allow(dead_code, reason = "each signer uses its own part")]
mod volumes;

#[cfg(feature = "azure")]
pub use self::azure::{
    AzureContainer, AzureContainerError, AzureDelegationKey, AzureKey, AzureKeyError, AzureKeyProvider,
    AzureSigner,
};
#[cfg(feature = "cloudfront")]
pub use self::cloudfront::{CloudFrontError, CloudFrontKey, CloudFrontKeyError, CloudFrontSigner};
#[cfg(feature = "gcs")]
pub use self::gcs::{GcsBucket, GcsBucketError, GcsKey, GcsKeyError, GcsSigner};
#[cfg(feature = "local")]
pub use self::local::{LocalClaims, LocalKey, LocalKeyError, LocalSigner};
#[cfg(feature = "aws-credentials")]
pub use self::s3::StoreCredentials;
#[cfg(feature = "s3")]
pub use self::s3::{CredentialProvider, Credentials, CredentialsError, S3Bucket, S3BucketError, S3Signer};
#[cfg(feature = "sts")]
pub use self::s3::{S3Policy, S3PolicyError};
#[cfg(feature = "secure-link")]
pub use self::secure_link::{SecureLink, SecureLinkError, SecureLinkSecret, SecureLinkSecretError};
#[cfg(feature = "object_store")]
pub use self::store::StoreSigner;
pub use self::strategy::Presign;
#[cfg(feature = "sts")]
pub use self::sts::{AssumeRole, StsEndpoint, StsError};
