//! [`AzureContainer`]: where a container is reached.

use crate::endpoint::{self, Endpoint};

/// A container of a storage account, and the address under which clients reach it.
///
/// ```
/// use secure_download_presign::AzureContainer;
///
/// let container = AzureContainer::new("myaccount", "scans")?;
/// assert_eq!(container.url(), "https://myaccount.blob.core.windows.net/scans/");
/// let azurite = AzureContainer::at("http://127.0.0.1:10000", "devstoreaccount1", "scans")?;
/// assert_eq!(azurite.url(), "http://127.0.0.1:10000/devstoreaccount1/scans/");
/// # Ok::<(), secure_download_presign::AzureContainerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureContainer {
    /// What the URL of every blob starts with; ends with `/`.
    prefix: String,
    /// What signatures call it; ends with `/`.
    resource: String,
    https: bool,
}

impl AzureContainer {
    /// A container of an account of Azure's public cloud.
    ///
    /// # Errors
    /// [`AzureContainerError`] if either name is malformed.
    pub fn new(account: &str, container: &str) -> Result<Self, AzureContainerError> {
        let host = format!("https://{account}.blob.core.windows.net");
        let mut this = Self::at(&host, account, container)?;
        this.prefix = format!("{host}/{container}/");
        Ok(this)
    }

    /// A container of another endpoint, in whose paths the account comes first, as with Azurite.
    ///
    /// # Errors
    /// [`AzureContainerError`] if address or names are malformed.
    pub fn at(endpoint: &str, account: &str, container: &str) -> Result<Self, AzureContainerError> {
        let Endpoint { scheme, authority, path } = endpoint::parse(endpoint).ok_or(AzureContainerError)?;
        let name = |name: &str, extra: &str| {
            (3..=63).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c))
        };
        let special = matches!(container, "$web" | "$root");
        if !name(account, "") || !(special || name(container, "-")) {
            return Err(AzureContainerError);
        }
        Ok(Self {
            prefix: format!("{scheme}://{authority}{path}/{account}/{container}/"),
            resource: format!("/blob/{account}/{container}/"),
            https: scheme == "https",
        })
    }

    /// What the URL of every blob starts with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.prefix
    }

    pub(super) fn resource(&self) -> &str {
        &self.resource
    }

    /// Which protocols a signature allows.
    pub(super) fn protocol(&self) -> &'static str {
        if self.https { "https" } else { "https,http" }
    }
}

/// The container cannot be addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "account and container have 3 to 63 of a-z and 0-9, containers `-` too; an address is scheme, host and port"
)]
pub struct AzureContainerError;
