//! [`Reads`]: how bytes come out of a file.

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

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

impl Reads {
    /// Reads what is at hand: so many bytes, none at the end of the file. `None` if the bytes must be waited for.
    pub(super) fn at_hand(&self, file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            #[cfg(target_os = "linux")]
            Self::AtOnce => read_at(file, buffer, offset).map(Some),
            #[cfg(target_os = "linux")]
            Self::IfCached { missing } if !missing.load(Ordering::Relaxed) => {
                read_nowait(file, buffer, offset, missing)
            }
            #[cfg(target_os = "linux")]
            Self::IfCached { .. } => Ok(None),
            Self::OnPool => {
                // Only Linux tells what is at hand.
                let _ = (file, offset, buffer);
                Ok(None)
            }
        }
    }
}

#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// `preadv2(2)` with `RWF_NOWAIT`: what the page cache has, and no waiting.
#[cfg(target_os = "linux")]
fn read_nowait(
    file: &File,
    buffer: &mut [u8],
    offset: u64,
    missing: &AtomicBool,
) -> io::Result<Option<usize>> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let mut buffers = [io::IoSliceMut::new(buffer)];
    match preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT) {
        Ok(count) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            missing.store(true, Ordering::Relaxed);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
