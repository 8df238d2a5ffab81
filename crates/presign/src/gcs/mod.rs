//! Google Cloud Storage.

mod bucket;
mod key;
mod signer;
mod unsigned;

pub use self::bucket::{GcsBucket, GcsBucketError};
pub use self::key::{GcsKey, GcsKeyError};
pub use self::signer::GcsSigner;
