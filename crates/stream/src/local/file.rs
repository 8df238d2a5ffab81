//! [`OpenFile`]: one descriptor, for stat and bytes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use secure_download_core::{DeliveryError, ETag, FileKey, Part, Parts, Representation};

use super::confine::Root;
use super::open_files::OpenFiles;
use super::pool::on_pool;
use super::reads::{Reads, read_at};
use super::stamp::{Since, Stamp};

/// How far the kernel is asked to read ahead when bytes were not cached.
#[cfg(target_os = "linux")]
const READ_AHEAD: std::num::NonZeroU64 = std::num::NonZeroU64::new(2 << 20).expect("not zero");

/// A regular file, held open, and what it was like when it was opened.
pub(crate) struct OpenFile {
    file: File,
    origin: Origin,
    stamp: Stamp,
    /// The last stamp whose content is that of the first.
    accepted: Mutex<Stamp>,
    reads: Reads,
    /// Where this descriptor is on offer to others.
    offered_in: Weak<OpenFiles>,
}

/// What a file was asked for by, to be looked up again.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) root: Arc<Root>,
    pub(super) key: FileKey,
    pub(super) asked: Asked,
}

/// How a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    /// Refuse every symbolic link on the way.
    pub(crate) refuse_symlinks: bool,
    /// The file may grow while it is sent.
    pub(crate) append_only: bool,
}

/// A body being read into one buffer.
struct Filling {
    buffer: Vec<u8>,
    /// Which places of the buffer are still to be filled, and with which bytes of the file; the last is next.
    gaps: Vec<(Range<usize>, u64)>,
}

impl Filling {
    fn new(parts: &Parts) -> Self {
        let mut buffer = Vec::with_capacity(usize::try_from(parts.length()).unwrap_or_default());
        let mut gaps = Vec::new();
        let mut leave = |buffer: &mut Vec<u8>, range: &Range<u64>| {
            let start = buffer.len();
            buffer.resize(start + usize::try_from(range.end - range.start).unwrap_or_default(), 0);
            if buffer.len() > start {
                gaps.push((start..buffer.len(), range.start));
            }
        };
        match parts {
            Parts::One(range) => leave(&mut buffer, range),
            Parts::Many(parts) => {
                for part in parts {
                    match part {
                        Part::Literal(bytes) => buffer.extend_from_slice(bytes),
                        Part::File(range) => leave(&mut buffer, range),
                    }
                }
            }
        }
        gaps.reverse();
        Self { buffer, gaps }
    }

    /// What to read next, and where to.
    fn gap(&mut self) -> Option<(u64, &mut [u8])> {
        let (place, position) = self.gaps.last()?;
        Some((*position, &mut self.buffer[place.clone()]))
    }

    /// Notes that so many bytes were read, none at the end of the file.
    fn fill(&mut self, count: usize) -> io::Result<()> {
        let Some((place, position)) = self.gaps.last_mut().filter(|_| count > 0) else {
            return Err(ended_early());
        };
        place.start += count;
        *position += count as u64;
        if place.start == place.end {
            self.gaps.pop();
        }
        Ok(())
    }
}

impl OpenFile {
    /// A body of at most this many bytes is read into one buffer.
    pub(crate) const ONE_BUFFER: u64 = 64 * 1024;

    /// # Errors
    /// `NotFound` for anything but a regular file.
    pub(super) fn new(file: File, reads: Reads, origin: Origin) -> io::Result<Self> {
        let stamp = Stamp::of(&file)?;
        Ok(Self { file, origin, stamp, accepted: Mutex::new(stamp), reads, offered_in: Weak::new() })
    }

    /// With an entity tag of length and date alone if other machines hold copies of the file.
    pub(crate) fn representation(&self, replicated: bool, now: SystemTime) -> Representation {
        let mut found = self.stamp.representation(replicated, now);
        if self.origin.asked.append_only {
            // Length and date of two states are told apart, but bytes are appended at any moment.
            found.etag = found.etag.map(ETag::into_weak);
        }
        found
    }

    /// Whether the file's date tells each change of its content.
    pub(crate) fn dates_itself(&self) -> bool {
        !self.origin.asked.append_only && self.stamp.dates_itself()
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Offers this descriptor to others.
    pub(super) fn offer(mut self, offered_in: &Arc<OpenFiles>) -> Arc<Self> {
        self.offered_in = Arc::downgrade(offered_in);
        Arc::new(self)
    }

    /// Reads a small body whole.
    pub(crate) async fn read_all(self, parts: &Parts) -> Result<Bytes, DeliveryError> {
        let mut filling = Filling::new(parts);
        while let Some((position, gap)) = filling.gap() {
            match self.read_now(position, gap) {
                Ok(Some(count)) => filling.fill(count).map_err(changing)?,
                Ok(None) => {
                    let read = on_pool(move || {
                        while let Some((position, gap)) = filling.gap() {
                            let count = self.read_waiting(position, gap)?;
                            filling.fill(count)?;
                        }
                        self.check_waiting()?;
                        Ok(filling.buffer)
                    });
                    return read.await.map(Bytes::from).map_err(changing);
                }
                Err(error) => return Err(changing(error)),
            }
        }
        if self.check().map_err(changing)? == Checked::LookUp {
            on_pool(move || self.check_waiting()).await.map_err(changing)?;
        }
        Ok(filling.buffer.into())
    }

    /// Reads what is at hand: so many bytes, none at the end of the file. `None` if the bytes must be waited for.
    pub(super) fn read_now(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.reads.at_hand(&self.file, offset, buffer)
    }

    /// Reads, waiting for the disk, and has the kernel fetch what comes next.
    pub(super) fn read_waiting(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(target_os = "linux")]
        {
            // Advice only: reading works without it.
            let _ = rustix::fs::fadvise(&self.file, offset, Some(READ_AHEAD), rustix::fs::Advice::WillNeed);
        }
        read_at(&self.file, buffer, offset)
    }

    /// Whether the file is as it was when it was opened, as far as stat tells.
    ///
    /// # Errors
    /// If it was written to or cut.
    pub(super) fn check(&self) -> io::Result<Checked> {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind the lock: transfers that share the file must not compare an older look with a newer one.
        let now = Stamp::of(&self.file)?;
        if self.origin.asked.append_only {
            if now.length < accepted.length || accepted.is_linked() && !now.is_linked() {
                return Err(changed());
            }
            *accepted = now;
            return Ok(Checked::Same);
        }
        match now.since(&accepted) {
            Since::Unchanged => Ok(Checked::Same),
            Since::Attributes => {
                *accepted = now;
                Ok(Checked::Same)
            }
            Since::RenamedOrWritten => Ok(Checked::LookUp),
            Since::Written => Err(changed()),
        }
    }

    /// As [`OpenFile::check`], and looks the key up where stat does not tell enough.
    ///
    /// # Errors
    /// If the file was written to or cut.
    pub(super) fn check_waiting(&self) -> io::Result<()> {
        if self.check()? == Checked::Same {
            return Ok(());
        }
        let now = Stamp::of(&self.file)?;
        if self.key_leads_to(&now)? {
            return Err(changed());
        }
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        match now.since(&accepted) {
            Since::Written => Err(changed()),
            _ => {
                *accepted = now;
                Ok(())
            }
        }
    }

    /// Whether the key still opens the file of this stamp.
    fn key_leads_to(&self, stamp: &Stamp) -> io::Result<bool> {
        let Origin { root, key, asked } = &self.origin;
        let found = root.open_beneath(key, asked.refuse_symlinks).and_then(|(file, _)| Stamp::of(&file));
        match found {
            Ok(found) => Ok(found.same_file(stamp)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// What [`OpenFile::check`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// The content is the one that was opened.
    Same,
    /// Only a look-up of the key tells, which may wait: [`OpenFile::check_waiting`].
    LookUp,
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if let Some(offered_in) = self.offered_in.upgrade() {
            offered_in.withdraw(self);
        }
    }
}

fn changed() -> io::Error {
    io::Error::other(
        "the file was changed while it was being sent: replace files by renaming a complete one over them",
    )
}

/// Nothing was sent yet, so the client may simply try again.
fn changing(error: io::Error) -> DeliveryError {
    DeliveryError::Unavailable { retry_after: Some(Duration::from_secs(1)), source: error.into() }
}

pub(super) fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut short while it was being sent")
}
