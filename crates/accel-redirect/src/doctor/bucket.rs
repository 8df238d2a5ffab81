//! Canaries in a bucket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::{Method, Response};
use secure_download_core::{
    Body, DeliveryError, DeliveryStrategy, Download, FileKey, Grant, RequestHead, SignError, SignedUrl,
    UrlSigner,
};

use super::Canary;
use super::answers::marked;

/// What the ids of canaries in a bucket begin with, where those in folders have the number of their root.
pub(super) const ROOT: &str = "bucket/";

const BARE: &str = "bucket/bare";

const NAME: &str = "doctor";

/// The examination fetches a URL at once.
const LIFETIME: Duration = Duration::from_secs(60);

/// Every canary that a bucket can hold, by id.
pub(super) fn canaries() -> HashMap<String, Download> {
    let canaries = Canary::ALL.into_iter().filter(|canary| *canary != Canary::Link);
    let described = canaries.filter_map(|canary| {
        let download = canary.describe(Download::new(FileKey::parse(canary.path()).ok()?));
        Some((format!("{ROOT}{}", canary.id()), download))
    });
    // For signers that carry neither a type nor a name.
    let bare = FileKey::parse(Canary::Other.path()).ok().map(|key| (BARE.to_owned(), Download::new(key)));
    described.chain(bare).collect()
}

/// Answers with a signed URL of a granted file and the application's time. Not for real files: only the doctor's canaries
/// go this way.
pub(super) struct ShowUrl(Arc<dyn UrlSigner>);

impl ShowUrl {
    pub(super) fn new(signer: Arc<dyn UrlSigner>) -> Self {
        Self(signer)
    }
}

#[async_trait]
impl DeliveryStrategy for ShowUrl {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let line = match self.0.sign(&grant, &Method::GET, LIFETIME, now).await {
            Ok(signed) => format!("url {}", signed.expose()),
            Err(SignError::Inexpressible(reason)) => format!("declined {reason}"),
            Err(_) => "failed".to_owned(),
        };
        Ok(marked(&format!("{line}\n{seconds}\n")))
    }
}

/// Signs as another does, and leaves the signature out of the URL.
pub(super) struct Unsigned(Arc<dyn UrlSigner>);

impl Unsigned {
    pub(super) fn new(signer: Arc<dyn UrlSigner>) -> Self {
        Self(signer)
    }
}

#[async_trait]
impl UrlSigner for Unsigned {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn sign(
        &self,
        grant: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let signed = self.0.sign(grant, method, lifetime, now).await?;
        let path = signed.expose().split('?').next().unwrap_or_default();
        // Proxies are handed a query in any case.
        Ok(SignedUrl::new(format!("{path}?unsigned=1"), signed.expires_at()))
    }
}
