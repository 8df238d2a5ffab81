//! S3 and whatever speaks its protocol.

mod bucket;
mod credentials;
pub(crate) mod day;
#[cfg(feature = "sts")]
mod policy;
mod signer;
#[cfg(feature = "aws-credentials")]
mod store_credentials;

pub use self::bucket::{S3Bucket, S3BucketError};
pub use self::credentials::{CredentialProvider, Credentials, CredentialsError};
#[cfg(feature = "sts")]
pub use self::policy::{S3Policy, S3PolicyError};
pub use self::signer::S3Signer;
#[cfg(feature = "aws-credentials")]
pub use self::store_credentials::StoreCredentials;
