//! [`Watched`]: a store that notes what is asked of it, and lets a test act between two requests.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// One request for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// No bytes were asked for.
    pub head: bool,
    /// Which bytes, if not all.
    pub range: Option<Range<u64>>,
    /// Only this state of the object.
    pub if_match: Option<String>,
    /// Only this version of the object.
    pub version: Option<String>,
}

type Act = Box<dyn Fn(usize) -> BoxFuture<'static, ()> + Send + Sync>;

/// Passes everything on to another store.
pub struct Watched {
    inner: Arc<dyn ObjectStore>,
    requests: Mutex<Vec<Request>>,
    before: Act,
}

impl Watched {
    /// Watches `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, requests: Mutex::default(), before: Box::new(|_| Box::pin(async {})) }
    }

    /// Runs `act` before each request for an object is passed on, with the number of requests before it.
    #[must_use]
    pub fn before_each(
        mut self,
        act: impl Fn(usize) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        self.before = Box::new(act);
        self
    }

    /// The requests for objects since the last call.
    ///
    /// # Panics
    /// If a request panicked.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().expect("not poisoned"))
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({})", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Watched {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let before = {
            let mut requests = self.requests.lock().expect("not poisoned");
            requests.push(Request {
                head: options.head,
                range: options.range.as_ref().map(|range| match range {
                    GetRange::Bounded(range) => range.clone(),
                    other => panic!("{other} is not exact"),
                }),
                if_match: options.if_match.clone(),
                version: options.version.clone(),
            });
            requests.len() - 1
        };
        (self.before)(before).await;
        self.inner.get_opts(location, options).await
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
