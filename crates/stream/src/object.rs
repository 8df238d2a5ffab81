//! Objects in any store that `object_store` speaks to.

mod piece;
mod pinned;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{Method, Response};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, ObjectMeta, ObjectStore};
use secure_download_core::{Body, DeliveryError, Download, Grant, Parts, RequestHead, Selection};

use self::piece::Piece;
use self::pinned::{Pinned, in_time};
use crate::pacing::Paced;
use crate::patience::Patient;

/// A request with none of these is answered with the whole object, so one request to the store is enough.
const SELECTING: [HeaderName; 6] =
    [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// What a client is told to wait when the store is unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// One bucket, or what stands for one.
pub(crate) struct ObjectSource {
    store: Arc<dyn ObjectStore>,
}

impl ObjectSource {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    pub(crate) async fn deliver(
        &self,
        grant: Grant,
        head: &RequestHead,
    ) -> Result<Response<Body>, DeliveryError> {
        let object = Object::named(grant.download(), &self.store)?;
        let whole = *head.method() == Method::GET
            && SELECTING.iter().all(|name| head.fields(name.clone()).next().is_none());
        let mut first = None;
        let meta = if whole {
            let result = object.get(None).await.map_err(refused)?;
            let meta = result.meta.clone();
            first = Some(result);
            meta
        } else {
            object.head().await.map_err(refused)?
        };
        if object.version.is_some() && meta.version != object.version {
            return Err(DeliveryError::BadGateway("the store does not keep to the object version".into()));
        }
        let pinned = object.pin(meta);

        let now = SystemTime::now();
        let rate = grant.terms().rate_limit();
        let sending = match grant.into_plan().into_selection(head, &pinned.representation(), now) {
            Selection::Answered(response) => return Ok(response),
            Selection::Send(sending) => sending,
        };
        let parts = sending.parts().clone();
        // The first piece is opened before the head leaves: its failure can still be told.
        let mut opened = match (first, first_piece(&parts)) {
            (Some(result), _) => Some(Patient::new(result.into_stream())),
            (None, Some(range)) => Some(pinned.open(range).await.map_err(refused)?),
            (None, None) => None,
        };
        let length = parts.length();
        let body = Body::parts(parts, move |range| match opened.take() {
            Some(stream) => Piece::opened(pinned.clone(), range, stream),
            None => Piece::unopened(pinned.clone(), range),
        });
        let body = match rate {
            Some(rate) => Body::stream(length, Paced::new(body, rate)),
            None => body,
        };
        Ok(sending.with_body(body))
    }
}

impl fmt::Debug for ObjectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own Debug may hold its credentials.
        f.debug_struct("ObjectSource").finish_non_exhaustive()
    }
}

fn first_piece(parts: &Parts) -> Option<Range<u64>> {
    match parts {
        Parts::One(range) => Some(range.clone()).filter(|range| !range.is_empty()),
        Parts::Many(parts) => parts.iter().find_map(|part| match part {
            secure_download_core::Part::File(range) => Some(range.clone()),
            secure_download_core::Part::Literal(_) => None,
        }),
    }
}

/// The object that a download names, in whatever version it has now.
struct Object {
    store: Arc<dyn ObjectStore>,
    path: Path,
    version: Option<String>,
}

impl Object {
    fn named(download: &Download, store: &Arc<dyn ObjectStore>) -> Result<Self, DeliveryError> {
        let path = Path::parse(download.key()).map_err(|error| DeliveryError::NotFound(error.into()))?;
        let version = download.version_id().map(str::to_owned);
        Ok(Self { store: Arc::clone(store), path, version })
    }

    async fn head(&self) -> Result<ObjectMeta, Error> {
        let options = GetOptions { head: true, version: self.version.clone(), ..GetOptions::default() };
        Ok(in_time(self.store.get_opts(&self.path, options)).await?.meta)
    }

    async fn get(&self, range: Option<Range<u64>>) -> Result<GetResult, Error> {
        let options = GetOptions {
            range: range.map(Into::into),
            version: self.version.clone(),
            ..GetOptions::default()
        };
        in_time(self.store.get_opts(&self.path, options)).await
    }

    fn pin(self, meta: ObjectMeta) -> Pinned {
        Pinned::new(self.store, self.path, meta)
    }
}

/// What the client is told when the store answers with an error, whose text is for the log alone.
fn refused(error: Error) -> DeliveryError {
    match error {
        Error::NotFound { .. } | Error::InvalidPath { .. } => DeliveryError::NotFound(error.into()),
        // Replaced between two requests: the next attempt sees one state.
        Error::Precondition { .. } => {
            DeliveryError::Unavailable { retry_after: Some(Duration::from_secs(1)), source: error.into() }
        }
        // Wrong credentials, a missing permission or a store that cannot do what it should: trying again is no use.
        Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::UnknownConfigurationKey { .. } => DeliveryError::BadGateway(error.into()),
        _ => DeliveryError::Unavailable { retry_after: Some(RETRY_AFTER), source: error.into() },
    }
}
