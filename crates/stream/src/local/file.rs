//! [`OpenFile`]: one descriptor, for stat and bytes; [`OpenFiles`]: those that transfers share.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use secure_download_core::{DeliveryError, Part, Parts, Representation};

use super::on_pool;

/// How the files of a root are read.
#[derive(Clone)]
pub(super) enum Reads {
    /// On the async thread if the page cache has the bytes, else on the blocking pool.
    #[cfg(target_os = "linux")]
    IfCached {
        /// Set once the file system has said that it cannot read without waiting.
        missing: Arc<AtomicBool>,
    },
    /// On the async thread: the file system is in memory.
    #[cfg(target_os = "linux")]
    AtOnce,
    /// On the blocking pool: the file system may wait for anything.
    OnPool,
}

/// How far the kernel is asked to read ahead when bytes were not cached.
#[cfg(target_os = "linux")]
const READ_AHEAD: std::num::NonZeroU64 = std::num::NonZeroU64::new(2 << 20).expect("not zero");

/// A regular file, held open, and what it was like when it was opened.
pub(crate) struct OpenFile {
    file: File,
    stamp: Stamp,
    reads: Reads,
    /// Where this descriptor is on offer to others.
    offered_in: Weak<OpenFiles>,
}

/// Which version of which file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stamp {
    device_and_inode: Option<(u64, u64)>,
    length: u64,
    modified: SystemTime,
}

impl Stamp {
    /// `NotFound` for anything but a regular file.
    #[cfg(target_os = "linux")]
    fn of(file: &File) -> io::Result<Self> {
        use rustix::fs::{FileType, fstat};
        let stat = fstat(file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(not_regular());
        }
        // A time before 1970 counts its nanoseconds from the second before.
        let seconds = Duration::from_secs(stat.st_mtime.unsigned_abs());
        #[allow(clippy::useless_conversion, reason = "another type on other processors")]
        let nanos = Duration::from_nanos(u64::try_from(stat.st_mtime_nsec).unwrap_or_default());
        let whole = if stat.st_mtime < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(seconds)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(seconds)
        };
        let modified = whole.and_then(|time| time.checked_add(nanos));
        Ok(Self {
            device_and_inode: Some((stat.st_dev, stat.st_ino)),
            length: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: modified.ok_or_else(|| io::Error::other("a time that no clock can show"))?,
        })
    }

    /// `NotFound` for anything but a regular file.
    #[cfg(not(target_os = "linux"))]
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_regular());
        }
        #[cfg(unix)]
        let device_and_inode = {
            use std::os::unix::fs::MetadataExt as _;
            Some((metadata.dev(), metadata.ino()))
        };
        #[cfg(not(unix))]
        let device_and_inode = None;
        Ok(Self { device_and_inode, length: metadata.len(), modified: metadata.modified()? })
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "not a regular file")
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

/// What a read without waiting found.
pub(super) enum ReadNow {
    /// So many bytes, none at the end of the file.
    Bytes(usize),
    /// The bytes are not at hand: read where waiting is allowed.
    NotCached,
}

impl OpenFile {
    /// A body of at most this many bytes is read into one buffer.
    pub(crate) const ONE_BUFFER: u64 = 64 * 1024;

    /// # Errors
    /// `NotFound` for anything but a regular file.
    pub(super) fn new(file: File, reads: Reads) -> io::Result<Self> {
        let stamp = Stamp::of(&file)?;
        Ok(Self { file, stamp, reads, offered_in: Weak::new() })
    }

    pub(crate) fn representation(&self, now: SystemTime) -> Representation {
        Representation::of_file(self.stamp.length, self.stamp.modified, now)
    }

    /// Reads a small body whole.
    pub(crate) async fn read_all(self, parts: &Parts) -> Result<Bytes, DeliveryError> {
        let mut filling = Filling::new(parts);
        while let Some((position, gap)) = filling.gap() {
            match self.read_now(position, gap) {
                Ok(ReadNow::Bytes(count)) => filling.fill(count).map_err(changing)?,
                Ok(ReadNow::NotCached) => {
                    let read = on_pool(move || {
                        while let Some((position, gap)) = filling.gap() {
                            let count = self.read_waiting(position, gap)?;
                            filling.fill(count)?;
                        }
                        self.unchanged()?;
                        Ok(filling.buffer)
                    });
                    return read.await.map(Bytes::from).map_err(changing);
                }
                Err(error) => return Err(changing(error)),
            }
        }
        self.unchanged().map_err(changing)?;
        Ok(filling.buffer.into())
    }

    /// Reads what is at hand.
    pub(super) fn read_now(&self, offset: u64, buffer: &mut [u8]) -> io::Result<ReadNow> {
        match &self.reads {
            #[cfg(target_os = "linux")]
            Reads::AtOnce => read_at(&self.file, buffer, offset).map(ReadNow::Bytes),
            #[cfg(target_os = "linux")]
            Reads::IfCached { missing } if !missing.load(Ordering::Relaxed) => {
                read_nowait(&self.file, buffer, offset, missing)
            }
            #[cfg(target_os = "linux")]
            Reads::IfCached { .. } => Ok(ReadNow::NotCached),
            Reads::OnPool => Ok(ReadNow::NotCached),
        }
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

    /// # Errors
    /// If the file was written to or cut since it was opened.
    pub(super) fn unchanged(&self) -> io::Result<()> {
        if Stamp::of(&self.file)? == self.stamp {
            Ok(())
        } else {
            Err(io::Error::other("the file was changed while it was being sent"))
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if let Some(offered_in) = self.offered_in.upgrade() {
            offered_in.withdraw(&self.stamp);
        }
    }
}

/// Descriptors of running transfers, on offer to new transfers of the same version of the same file: ten thousand readers
/// of one file need one descriptor.
#[derive(Default)]
pub(super) struct OpenFiles {
    by_stamp: Mutex<HashMap<Stamp, Weak<OpenFile>>>,
}

impl OpenFiles {
    pub(super) fn share(self: &Arc<Self>, mut file: OpenFile) -> Arc<OpenFile> {
        if file.stamp.device_and_inode.is_none() {
            return Arc::new(file);
        }
        let mut by_stamp = self.by_stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = by_stamp.get(&file.stamp).and_then(Weak::upgrade) {
            return shared;
        }
        file.offered_in = Arc::downgrade(self);
        let stamp = file.stamp.clone();
        let offered = Arc::new(file);
        by_stamp.insert(stamp, Arc::downgrade(&offered));
        offered
    }

    fn withdraw(&self, stamp: &Stamp) {
        let mut by_stamp = self.by_stamp.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer descriptor of the same version may have taken the place.
        if by_stamp.get(stamp).is_some_and(|offered| offered.strong_count() == 0) {
            by_stamp.remove(stamp);
        }
    }
}

/// Nothing was sent yet, so the client may simply try again.
fn changing(error: io::Error) -> DeliveryError {
    DeliveryError::Unavailable { retry_after: Some(Duration::from_secs(1)), source: error.into() }
}

pub(super) fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut short while it was being sent")
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// `preadv2(2)` with `RWF_NOWAIT`: what the page cache has, and no waiting.
#[cfg(target_os = "linux")]
fn read_nowait(file: &File, buffer: &mut [u8], offset: u64, missing: &AtomicBool) -> io::Result<ReadNow> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let mut buffers = [io::IoSliceMut::new(buffer)];
    match preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT) {
        Ok(count) => Ok(ReadNow::Bytes(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(ReadNow::NotCached),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            missing.store(true, Ordering::Relaxed);
            Ok(ReadNow::NotCached)
        }
        Err(error) => Err(error.into()),
    }
}
