//! [`Stream`]: sends granted files from the volumes it was given.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use http::Response;
#[cfg(feature = "object_store")]
use object_store::ObjectStore;
use secure_download_core::{Body, DeliveryError, DeliveryStrategy, Download, Grant, RequestHead, Selection};

use crate::local::{FileChunks, LocalSource, OpenFile};
#[cfg(feature = "object_store")]
use crate::object::ObjectSource;
use crate::pacing::Paced;

const NAME: &str = "stream";

/// Sends granted files itself, with ranges and conditions after RFC 9110.
///
/// A [`Download`] is looked up in the volume it names, or in the default volume if it names none. One that names a volume
/// this strategy was not given is declined.
///
/// An answer is 404 if
///
/// - the file does not exist, or is not a regular file (a folder, a FIFO, a device, a socket),
/// - a symbolic link on the way leads out of the root; links that stay beneath it are followed,
/// - the process may not read it.
///
/// A file that is written to or cut short while it is being sent ends the transfer with an error, so that no client
/// takes a mixture for the file. Replace files by renaming a complete one over them: running transfers
/// then go on with the old content.
///
/// ```
/// use secure_download_core::{Download, FileKey};
/// use secure_download_stream::Stream;
///
/// # let folder = tempfile::tempdir()?;
/// # let (media, tenant) = (folder.path(), folder.path());
/// let stream = Stream::local(media)?.local_volume("tenant-7", tenant)?;
/// let from_media = Download::new(FileKey::parse("scans/1.png")?);
/// let from_tenant = Download::new(FileKey::parse("scans/1.png")?).volume("tenant-7");
/// # let _ = (stream, from_media, from_tenant);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Stream {
    default: Option<Source>,
    volumes: HashMap<String, Source>,
}

#[derive(Debug)]
enum Source {
    Local(LocalSource),
    #[cfg(feature = "object_store")]
    Object(ObjectSource),
}

impl Stream {
    /// No volume at all yet; every download is declined.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves downloads that name no volume from the folder `root`.
    ///
    /// # Errors
    /// [`StreamError::Root`] if `root` is no folder that can be opened.
    pub fn local(root: impl AsRef<Path>) -> Result<Self, StreamError> {
        let default = Some(Source::Local(open_root(root.as_ref(), LocalSource::open)?));
        Ok(Self { default, volumes: HashMap::new() })
    }

    /// As [`Stream::local`], but walks each path itself instead of asking the kernel to confine it. Other systems than
    /// Linux, and Linux where `openat2` is missing or filtered, do so anyway.
    ///
    /// # Errors
    /// [`StreamError::Root`] if `root` is no folder that can be opened.
    pub fn local_portable(root: impl AsRef<Path>) -> Result<Self, StreamError> {
        let default = Some(Source::Local(open_root(root.as_ref(), LocalSource::open_portable)?));
        Ok(Self { default, volumes: HashMap::new() })
    }

    /// Also serves downloads of the volume `name` from the folder `root`.
    ///
    /// # Errors
    /// [`StreamError::Root`] if `root` is no folder that can be opened.
    pub fn local_volume(
        mut self,
        name: impl Into<String>,
        root: impl AsRef<Path>,
    ) -> Result<Self, StreamError> {
        let source = Source::Local(open_root(root.as_ref(), LocalSource::open)?);
        self.volumes.insert(name.into(), source);
        Ok(self)
    }

    /// Serves downloads that name no volume from an object store, ranges included: the bucket stays hidden behind the
    /// application.
    ///
    /// The store's entity tag and modification time are the validators. Each range is one request to the store, pinned to
    /// the version that was seen first; an object that is replaced meanwhile ends the transfer with an error. A store that
    /// has no such object is 404, one that cannot be reached or says nothing for 30 seconds 503 with `Retry-After`, one that
    /// refuses us 502. Nothing of what the store said reaches the client.
    ///
    /// `object_store`'s own clients end each request after 30 seconds, however much has come, and resume it no more than
    /// ten times. Slow readers of large objects take longer: build the client with
    /// `ClientOptions::with_timeout_disabled`. What stalls is given up all the same.
    ///
    /// The store must deliver one state of an object in one answer, as S3, GCS and Azure do.
    ///
    /// For a folder on this machine use [`Stream::local`]: `object_store`'s own `LocalFileSystem` follows symbolic links
    /// out of its root.
    ///
    /// ```
    /// use object_store::memory::InMemory;
    /// use secure_download_stream::Stream;
    /// use std::sync::Arc;
    ///
    /// let stream = Stream::object_store(Arc::new(InMemory::new()));
    /// # let _ = stream;
    /// ```
    #[cfg(feature = "object_store")]
    #[must_use]
    pub fn object_store(store: Arc<dyn ObjectStore>) -> Self {
        Self { default: Some(Source::Object(ObjectSource::new(store))), volumes: HashMap::new() }
    }

    /// Also serves downloads of the volume `name` from an object store; see [`Stream::object_store`].
    #[cfg(feature = "object_store")]
    #[must_use]
    pub fn object_store_volume(mut self, name: impl Into<String>, store: Arc<dyn ObjectStore>) -> Self {
        self.volumes.insert(name.into(), Source::Object(ObjectSource::new(store)));
        self
    }

    fn source(&self, download: &Download) -> Option<&Source> {
        match download.volume_name() {
            None => self.default.as_ref(),
            Some(name) => self.volumes.get(name),
        }
    }
}

fn open_root(
    root: &Path,
    open: impl FnOnce(&Path) -> io::Result<LocalSource>,
) -> Result<LocalSource, StreamError> {
    open(root).map_err(|source| StreamError::Root { root: root.to_owned(), source })
}

type Delivering<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, DeliveryError>> + Send + 'a>>;

impl DeliveryStrategy for Stream {
    fn name(&self) -> &'static str {
        NAME
    }

    // What `async_trait` makes of it, but for the grant, of which its future would hold several copies.
    fn deliver<'life0, 'life1, 'async_trait>(
        &'life0 self,
        grant: Grant,
        head: &'life1 RequestHead,
    ) -> Delivering<'async_trait>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        let declined = |grant: Grant, reason| -> Delivering<'async_trait> {
            Box::pin(std::future::ready(Err(grant.decline(NAME, reason))))
        };
        match self.source(grant.download()) {
            None => declined(grant, "no such volume"),
            Some(Source::Local(_)) if grant.download().version_id().is_some() => {
                declined(grant, "a folder has no versions")
            }
            Some(Source::Local(source)) => Box::pin(deliver_local(source, grant, head)),
            #[cfg(feature = "object_store")]
            Some(Source::Object(source)) => Box::pin(source.deliver(grant, head)),
        }
    }
}

#[expect(clippy::manual_async_fn, reason = "the future of an async function would hold the grant twice")]
fn deliver_local<'a>(
    source: &'a LocalSource,
    grant: Grant,
    head: &'a RequestHead,
) -> impl Future<Output = Result<Response<Body>, DeliveryError>> + Send + 'a {
    async move {
        let file = source.find(grant.download().key()).await?;
        let rate = grant.terms().rate_limit();
        let now = SystemTime::now();
        let sending = match grant.into_plan().into_selection(head, &file.representation(now), now) {
            Selection::Answered(response) => return Ok(response),
            Selection::Send(sending) => sending,
        };
        let parts = sending.parts().clone();
        let body = match rate {
            // Small enough for one buffer, which leaves together with the head.
            None if parts.length() <= OpenFile::ONE_BUFFER => Body::full(file.read_all(&parts).await?),
            rate => {
                let file = source.share(file);
                let chunks = move |range| FileChunks::new(Arc::clone(&file), range);
                match rate {
                    None => Body::parts(parts, chunks),
                    Some(rate) => Body::stream(parts.length(), Paced::new(Body::parts(parts, chunks), rate)),
                }
            }
        };
        Ok(sending.with_body(body))
    }
}

/// Why a [`Stream`] could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The root is no folder that can be opened.
    #[error("cannot open the folder {}: create it, or let this process read it", root.display())]
    Root {
        /// The folder.
        root: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}
