//! [`Pinned`]: one state of one object.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, ObjectMeta, ObjectStore};
use secure_download_core::{ETag, Representation};

use crate::patience::{PATIENCE, Patient, Stalled};

/// The bytes of one answer of the store, which may not stall.
pub(super) type StoreBytes = Patient<BoxStream<'static, object_store::Result<Bytes>>>;

/// One state of one object: pieces of any other are errors.
#[derive(Clone)]
pub(super) struct Pinned {
    store: Arc<dyn ObjectStore>,
    path: Path,
    meta: ObjectMeta,
}

impl Pinned {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path, meta: ObjectMeta) -> Self {
        Self { store, path, meta }
    }

    pub(super) fn representation(&self) -> Representation {
        // Some stores give the tag in its wire form, some without the quotes.
        let etag = self.meta.e_tag.as_deref();
        let etag = etag.and_then(|tag| ETag::parse(tag.as_bytes()).or_else(|| ETag::strong(tag)));
        Representation { length: self.meta.size, etag, last_modified: Some(self.meta.last_modified.into()) }
    }

    /// Whether another request can be shown to have the same state: by a strong tag or by a version. Size and date alone
    /// do not tell two states of one second apart.
    pub(super) fn is_certain(&self) -> bool {
        self.meta.version.is_some() || self.meta.e_tag.as_deref().is_some_and(|tag| !tag.starts_with("W/"))
    }

    /// One request for one range, of this state only: asked for, and checked, for not every store keeps to `If-Match`.
    pub(super) async fn open(&self, range: Range<u64>) -> Result<StoreBytes, Error> {
        let options = GetOptions {
            // A weak tag never holds in `If-Match` (RFC 9110 section 13.1.1): then what came is all there is to check.
            if_match: self.meta.e_tag.clone().filter(|tag| !tag.starts_with("W/")),
            range: Some(range.clone().into()),
            version: self.meta.version.clone(),
            ..GetOptions::default()
        };
        let result = in_time(self.store.get_opts(&self.path, options)).await?;
        let meta = &result.meta;
        let same = meta.e_tag == self.meta.e_tag
            && meta.size == self.meta.size
            && meta.version == self.meta.version
            && meta.last_modified == self.meta.last_modified;
        if !same || result.range != range {
            let path = self.path.to_string();
            return Err(Error::Precondition { path, source: "the object was replaced".into() });
        }
        Ok(Patient::new(result.into_stream()))
    }
}

/// Waits for an answer of the store, not for ever.
pub(super) async fn in_time(
    answer: impl Future<Output = Result<GetResult, Error>>,
) -> Result<GetResult, Error> {
    let in_time = tokio::time::timeout(PATIENCE, answer).await;
    in_time.unwrap_or_else(|_| Err(Error::Generic { store: "object_store", source: Stalled.into() }))
}
