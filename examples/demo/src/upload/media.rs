//! The folder that holds the bytes of all files, each under a random key.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secure_download::BoxError;
use tokio::runtime::Handle;
use tokio::task;

use crate::bucket::Bucket;
use crate::ids;
use crate::private::Access;
use crate::store::NewFile;

use super::kind::Kind;
use super::name::or_default;
use super::text::TextCheck;

/// Bytes collected before they are written: one visit to the blocking threads for each.
const BUFFER: usize = 512 * 1024;
/// How much of a file's beginning is looked at to tell its type.
const HEAD: usize = 8 * 1024;
/// What has not been stored completely ends with this.
const PARTIAL: &str = "part";
/// An upload that still grows is younger than this.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// The folder of all files.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    folder: PathBuf,
    access: Access,
    bucket: Option<Arc<Bucket>>,
}

impl Media {
    /// Opens or makes the folder, and closes it and what is in it to all but those that `access` names. With a bucket, files
    /// only pass through the folder. Blocks, for start-up.
    pub(crate) fn open(folder: &Path, access: Access, bucket: Option<Arc<Bucket>>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        access.close_files(folder)?;
        Ok(Self { folder: folder.to_owned(), access, bucket })
    }

    /// Starts a new file.
    pub(crate) async fn begin(&self) -> io::Result<Incoming> {
        let key = ids::storage_key();
        let path = self.folder.join(&key);
        let (draft, access) = (path.with_extension(PARTIAL), self.access);
        let part = task::spawn_blocking(move || {
            let file = access.new_file(&draft)?;
            Ok::<_, io::Error>((file, Part { path: draft, complete: false }))
        })
        .await??;
        Ok(Incoming {
            part: Some(part),
            key,
            path,
            head: Vec::new(),
            text: TextCheck::default(),
            buffer: Vec::new(),
            size: 0,
            bucket: self.bucket.clone(),
        })
    }

    /// Removes the bytes under a key that no row names any more. Running downloads of them go on.
    pub(crate) async fn remove(&self, key: &str) {
        if let Some(bucket) = &self.bucket {
            return bucket.remove(key).await;
        }
        let path = self.folder.join(key);
        // What cannot be removed now goes with the next sweep.
        let _ = task::spawn_blocking(move || fs::remove_file(path)).await;
    }

    /// Removes what a crash left behind: old files that none of `keys` names. Blocks, for start-up.
    pub(crate) fn sweep(&self, keys: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let known = name.to_str().is_some_and(|name| keys.contains(name));
            // Another process may share the folder: what is young may belong to an upload that runs there.
            let old = entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > ABANDONED);
            if !known && old && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// A file that arrives. Dropped before [`Incoming::end`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Absent while a blocking thread writes to it.
    part: Option<(File, Part)>,
    key: String,
    path: PathBuf,
    head: Vec<u8>,
    text: TextCheck,
    buffer: Vec<u8>,
    size: u64,
    bucket: Option<Arc<Bucket>>,
}

impl Incoming {
    /// Takes the next bytes.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<(), StoreFileError> {
        self.size = self.size.saturating_add(chunk.len() as u64);
        let missing = HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..missing]);
        self.text.add(&chunk);
        self.buffer.extend_from_slice(&chunk);
        if self.buffer.len() >= BUFFER {
            self.flush().await?;
        }
        Ok(())
    }

    /// How many bytes came so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Closes the file, whose bytes are all here. One without a name gets one after its bytes.
    pub(crate) async fn end(mut self, name: Option<String>) -> Result<Draft, StoreFileError> {
        self.flush().await?;
        let (file, part) = self.part.take().ok_or(StoreFileError::Interrupted)?;
        drop(file);
        let kind = |name: &str| Kind::of(name, &self.head, self.text.text());
        let name = or_default(name, &kind("").content_type);
        Ok(Draft {
            part: Some(part),
            path: std::mem::take(&mut self.path),
            bucket: self.bucket.take(),
            file: NewFile { key: std::mem::take(&mut self.key), kind: kind(&name), name, size: self.size },
        })
    }

    async fn flush(&mut self) -> Result<(), StoreFileError> {
        let (mut file, part) = self.part.take().ok_or(StoreFileError::Interrupted)?;
        let buffer = std::mem::take(&mut self.buffer);
        // If this future is dropped meanwhile, the part goes down with the task.
        let (part, mut buffer) = task::spawn_blocking(move || {
            file.write_all(&buffer)?;
            Ok::<_, io::Error>(((file, part), buffer))
        })
        .await
        .map_err(|_| StoreFileError::Interrupted)??;
        buffer.clear();
        self.part = Some(part);
        self.buffer = buffer;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        remove_aside(self.part.take());
    }
}

/// A file whose bytes are all here. Dropped before [`Draft::finish`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Draft {
    part: Option<Part>,
    path: PathBuf,
    bucket: Option<Arc<Bucket>>,
    file: NewFile,
}

impl Draft {
    /// Puts the file in its place. From now on it stays, so a row must name it.
    pub(crate) async fn finish(mut self) -> Result<NewFile, StoreFileError> {
        let part = self.part.take().ok_or(StoreFileError::Interrupted)?;
        let mut file = std::mem::take(&mut self.file);
        if let Some(bucket) = &self.bucket {
            file.key = bucket.put(&file.key, &part.path).await.map_err(StoreFileError::Bucket)?;
            // On a thread that may wait: it removes the copy here.
            let _ = task::spawn_blocking(move || drop(part)).await;
            return Ok(file);
        }
        let path = std::mem::take(&mut self.path);
        task::spawn_blocking(move || part.complete(&path))
            .await
            .map_err(|_| StoreFileError::Interrupted)??;
        Ok(file)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        remove_aside(self.part.take());
    }
}

/// Removing a large file takes time, so not on a thread that serves requests.
fn remove_aside(part: Option<impl Send + 'static>) {
    if let (Some(part), Ok(runtime)) = (part, Handle::try_current()) {
        runtime.spawn_blocking(move || drop(part));
    }
}

/// A file on the disk that removes itself unless it is complete.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    complete: bool,
}

impl Part {
    fn complete(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.complete = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.complete {
            // What cannot be removed now goes with a later sweep.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why a file was not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreFileError {
    /// The disk refused.
    #[error("the file cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The bucket refused.
    #[error("the bucket did not take the file: {0}")]
    Bucket(BoxError),
    /// The program ends, or an earlier write failed.
    #[error("writing was interrupted")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media() -> Media {
        let folder = std::env::temp_dir().join(format!("demo-media-{}", ids::session_id()));
        Media::open(&folder, Access::default(), None).expect("a folder")
    }

    fn content(media: &Media) -> Vec<PathBuf> {
        fs::read_dir(&media.folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    }

    /// Bytes that differ from place to place.
    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|position| (position % 251) as u8).collect()
    }

    #[tokio::test]
    async fn what_was_written_is_what_is_stored() {
        let media = media();
        for (length, chunk) in [(0, 1), (1, 1), (BUFFER, BUFFER), (3 * BUFFER + 7, 64 * 1024 + 1)] {
            let whole = bytes(length);
            let mut incoming = media.begin().await.expect("begun");
            for chunk in whole.chunks(chunk) {
                incoming.write(Bytes::copy_from_slice(chunk)).await.expect("written");
            }
            let draft = incoming.end(Some("a.bin".to_owned())).await.expect("ended");
            let file = draft.finish().await.expect("finished");
            assert_eq!(file.size, length as u64);
            assert!(fs::read(media.folder.join(&file.key)).expect("read") == whole, "{length}");
            media.remove(&file.key).await;
            assert!(content(&media).is_empty());
        }
        fs::remove_dir(&media.folder).expect("removed");
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let media = media();
        // The runtime's end waits for the blocking threads, so that everything is done when it is looked at.
        let run = |work: &dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>| {
            tokio::runtime::Runtime::new().expect("a runtime").block_on(work());
            assert!(content(&media).is_empty());
        };
        run(&|| {
            let media = media.clone();
            Box::pin(async move {
                let mut incoming = media.begin().await.expect("begun");
                incoming.write(Bytes::from_static(b"0123456789")).await.expect("written");
                drop(incoming.end(None).await.expect("ended"));
            })
        });
        run(&|| {
            let media = media.clone();
            Box::pin(async move {
                let mut incoming = media.begin().await.expect("begun");
                incoming.write(Bytes::from_static(b"0123")).await.expect("written");
                // Given up while the blocking thread has the file.
                let mut finish = Box::pin(incoming.flush());
                let waker = std::task::Waker::noop();
                let _ = finish.as_mut().poll(&mut std::task::Context::from_waker(waker));
            })
        });
        fs::remove_dir(&media.folder).expect("removed");
    }

    #[test]
    fn a_sweep_takes_only_what_is_old_and_unknown() {
        let media = media();
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        for (name, old) in [("known", true), ("young.part", false), ("old.part", true), ("orphan", true)] {
            let file = File::create(media.folder.join(name)).expect("made");
            if old {
                file.set_modified(long_ago).expect("aged");
            }
        }
        media.sweep(&HashSet::from(["known".to_owned()])).expect("swept");
        let mut left: Vec<_> =
            content(&media).iter().map(|path| path.file_name().map(ToOwned::to_owned)).collect();
        left.sort();
        assert_eq!(left, [Some("known".into()), Some("young.part".into())]);
        fs::remove_dir_all(&media.folder).expect("removed");
    }
}
