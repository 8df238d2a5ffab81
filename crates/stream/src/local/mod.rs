//! Files in local folders.

mod chunks;
mod confine;
mod demand;
mod file;
mod open_files;
mod pool;
mod reads;
mod recycle;
mod stamp;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secure_download_core::{DeliveryError, FileKey};

pub(crate) use self::chunks::FileChunks;
use self::confine::Root;
use self::file::Origin;
pub(crate) use self::file::{Asked, OpenFile};
use self::open_files::OpenFiles;
use self::pool::on_pool;

/// One root folder.
pub(crate) struct LocalSource {
    root: Arc<Root>,
    open_files: Arc<OpenFiles>,
}

impl LocalSource {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Root::open(root).map(Self::new)
    }

    pub(crate) fn open_portable(root: &Path) -> io::Result<Self> {
        Root::open_portable(root).map(Self::new)
    }

    fn new(root: Root) -> Self {
        Self { root: Arc::new(root), open_files: Arc::default() }
    }

    /// Opens the regular file named `key`: on this thread if the kernel has it all in its caches, else on the
    /// blocking pool.
    pub(crate) async fn find(&self, key: &FileKey, asked: Asked) -> Result<OpenFile, DeliveryError> {
        let origin = Origin { root: Arc::clone(&self.root), key: key.clone(), asked };
        let opened = match self.root.open_cached(key, asked.refuse_symlinks) {
            Some((file, reads)) => OpenFile::new(file, reads, origin),
            None => {
                // Stat waits too where open does: on a network, in user space.
                let open = move || {
                    let (file, reads) = origin.root.open_beneath(&origin.key, asked.refuse_symlinks)?;
                    OpenFile::new(file, reads, origin)
                };
                on_pool(open).await
            }
        };
        opened.map_err(|error| open_failed(error, key))
    }

    /// The same file, through a descriptor that other transfers of it already hold, if there is one.
    pub(crate) fn share(&self, file: OpenFile) -> Arc<OpenFile> {
        self.open_files.share(file)
    }
}

impl fmt::Debug for LocalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSource").finish_non_exhaustive()
    }
}

/// What is missing, hidden or no file at all is not found; what may pass is unavailable.
fn open_failed(error: io::Error, key: &FileKey) -> DeliveryError {
    use io::ErrorKind as Kind;
    let source = OpenFailed { key: key.clone(), source: error };
    if confine::exhausted(&source.source) {
        return DeliveryError::Unavailable {
            retry_after: Some(Duration::from_secs(5)),
            source: source.into(),
        };
    }
    match source.source.kind() {
        Kind::WouldBlock | Kind::OutOfMemory | Kind::TimedOut | Kind::Interrupted => {
            DeliveryError::Unavailable { retry_after: Some(Duration::from_secs(1)), source: source.into() }
        }
        _ => DeliveryError::NotFound(source.into()),
    }
}

/// For the log: which key could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {key:?}: {source}")]
struct OpenFailed {
    key: FileKey,
    source: io::Error,
}
