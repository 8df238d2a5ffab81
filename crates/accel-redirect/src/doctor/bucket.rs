//! Canaries in a bucket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::{Method, Response};
use secure_download_core::{
    Body, DeliveryError, DeliveryStrategy, Download, FileKey, Grant, RequestHead, UrlSigner,
};

use super::Canary;

/// What the ids of canaries in a bucket begin with, where those in folders have the number of their root.
pub(super) const ROOT: &str = "bucket/";

const NAME: &str = "unsigned";

/// Only long enough to be signed at all.
const LIFETIME: Duration = Duration::from_secs(1);

/// Every canary that a bucket can hold, by id.
pub(super) fn canaries() -> HashMap<String, Download> {
    let canaries = Canary::ALL.into_iter().filter(|canary| *canary != Canary::Link);
    let described = canaries.filter_map(|canary| {
        let download = canary.describe(Download::new(FileKey::parse(canary.path()).ok()?));
        Some((format!("{ROOT}{}", canary.id()), download))
    });
    described.collect()
}

/// Tells where a granted file is, with no signature, and what time it is here. Not for real files: only the doctor's
/// canaries go this way.
pub(super) struct ShowUnsigned(Arc<dyn UrlSigner>);

impl ShowUnsigned {
    pub(super) fn new(signer: Arc<dyn UrlSigner>) -> Self {
        Self(signer)
    }
}

#[async_trait]
impl DeliveryStrategy for ShowUnsigned {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let now = SystemTime::now();
        let signed = self.0.sign(&grant, &Method::GET, LIFETIME, now).await;
        let signed = signed.map_err(|error| DeliveryError::Internal(error.into()))?;
        let url = signed.expose().split('?').next().unwrap_or_default();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Response::new(Body::full(format!("{url}\n{seconds}\n"))))
    }
}
