//! [`Stream`]: sends granted files from the volumes it was given.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
#[cfg(feature = "object_store")]
use std::sync::Arc;
use std::time::SystemTime;

use http::Response;
#[cfg(feature = "object_store")]
use object_store::ObjectStore;
use secure_download_core::{Body, DeliveryError, DeliveryStrategy, Download, Grant, RequestHead, Selection};

use crate::local::{Asked, FileChunks, LocalSource, OpenFile};
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
/// # Files that change
///
/// Replace files by renaming a complete one over them: running transfers then go on with the old content. Removing, renaming,
/// linking, `chmod` and `chown` cut no transfer either.
///
/// A file that is written to or cut short while it is being sent ends the transfer with an error, so that no client takes a
/// mixture for the file. Each chunk is checked against what stat says: length, modification time and change time, which a
/// writer that sets the modification time back cannot set. Extended attributes and access lists move the change time alone,
/// so setting them ends running transfers too.
///
/// The entity tag is made of length, modification time, change time and inode number, so a client that resumes is sent the
/// whole file after any change. It is weak until the file has been left alone for two seconds. [`Download::etag`] takes its
/// place, [`Stream::replicated`] leaves change time and inode number out, and [`Download::append_only`] lets a file grow.
///
/// What stat does not show, this strategy does not see:
///
/// - a write within one tick of the file system's clock after the last change, some milliseconds on most,
/// - a write through `mmap` to a page that is dirty already,
/// - a write that sets the modification time back together with `chmod`, `chown`, linking or renaming,
/// - a change on a file system whose times stand still, and on Windows any that keeps length and time.
///
/// # Runtime
///
/// Runs in a Tokio runtime with timers (`enable_all` or `enable_time`).
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
    replicated: bool,
    refuse_symlinks: bool,
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
        Ok(Self { default, ..Self::default() })
    }

    /// As [`Stream::local`], but walks each path itself instead of asking the kernel to confine it. Other systems than
    /// Linux, and Linux where `openat2` is missing or filtered, do so anyway.
    ///
    /// # Errors
    /// [`StreamError::Root`] if `root` is no folder that can be opened.
    pub fn local_portable(root: impl AsRef<Path>) -> Result<Self, StreamError> {
        let default = Some(Source::Local(open_root(root.as_ref(), LocalSource::open_portable)?));
        Ok(Self { default, ..Self::default() })
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

    /// For folders that several machines hold copies of, behind one load balancer: the entity tags of local files are made
    /// of length and modification time alone, so that the copies agree. Holds for every folder of this strategy.
    ///
    /// Copy with the times (`rsync --times`), and change the time with the content. Two versions of one length and one time
    /// have one tag, so a client that resumes may join them.
    ///
    /// Without it, a tag also holds inode number and change time. A client that resumes at another machine is sent the whole
    /// file.
    #[must_use]
    pub fn replicated(mut self) -> Self {
        self.replicated = true;
        self
    }

    /// Refuses every symbolic link beneath the roots, as nginx does with `disable_symlinks on`: 404, as for a file that is
    /// missing. Holds for every folder of this strategy. The path of a root itself may hold links.
    ///
    /// Without it, links that stay beneath their root are followed.
    #[must_use]
    pub fn refuse_symlinks(mut self) -> Self {
        self.refuse_symlinks = true;
        self
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
        Self { default: Some(Source::Object(ObjectSource::new(store))), ..Self::default() }
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
            Some(Source::Local(source)) => Box::pin(self.deliver_local(source, grant, head)),
            #[cfg(feature = "object_store")]
            Some(Source::Object(source)) => Box::pin(source.deliver(grant, head)),
        }
    }
}

impl Stream {
    #[expect(clippy::manual_async_fn, reason = "the future of an async function would hold the grant twice")]
    fn deliver_local<'a>(
        &'a self,
        source: &'a LocalSource,
        grant: Grant,
        head: &'a RequestHead,
    ) -> impl Future<Output = Result<Response<Body>, DeliveryError>> + Send + 'a {
        async move {
            let download = grant.download();
            let append_only = download.is_append_only();
            let asked = Asked { refuse_symlinks: self.refuse_symlinks, append_only };
            let file = source.find(download.key(), asked).await?;
            let now = SystemTime::now();
            let mut found = file.representation(self.replicated, now);
            if let Some(known) = download.known_etag() {
                found.etag = Some(known.clone());
            }
            let rate = grant.terms().rate_limit();
            let mut plan = grant.into_plan();
            // Copies on other machines have change times of their own.
            if append_only || !self.replicated && !file.dates_itself() {
                plan = plan.ranges_by_tag_only();
            }
            let sending = match plan.into_selection(head, &found, now) {
                Selection::Answered(response) => return Ok(response),
                Selection::Send(sending) => sending,
            };
            let parts = sending.parts().clone();
            let body = match rate {
                // Small enough for one buffer, which leaves together with the head.
                None if parts.length() <= OpenFile::ONE_BUFFER => Body::full(file.read_all(&parts).await?),
                rate => {
                    let chunks = FileChunks::of(source.share(file));
                    match rate {
                        None => Body::parts(parts, chunks),
                        Some(rate) => {
                            Body::stream(parts.length(), Paced::new(Body::parts(parts, chunks), rate))
                        }
                    }
                }
            };
            Ok(sending.with_body(body))
        }
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
