//! Azure Blob Storage.

mod container;
mod key;
mod signer;

pub use self::container::{AzureContainer, AzureContainerError};
pub use self::key::{AzureDelegationKey, AzureKey, AzureKeyError, AzureKeyProvider};
pub use self::signer::AzureSigner;
