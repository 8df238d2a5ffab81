//! [`Stamp`]: which version of which file, as far as the kernel tells.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::time::Duration;
use std::time::SystemTime;

use secure_download_core::{FileStamp, Representation};

/// What stat says of a file. Access times are left out: reading moves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    identity: Option<Identity>,
    pub(super) length: u64,
    modified: SystemTime,
}

/// What Unix file systems say besides.
#[cfg_attr(not(unix), allow(dead_code, reason = "no other system tells"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    changed: SystemTime,
    attributes: Attributes,
}

/// What changes without the content, and moves the change time.
#[cfg_attr(not(unix), allow(dead_code, reason = "no other system tells"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Attributes {
    mode: u32,
    owner: u32,
    group: u32,
    links: u64,
}

/// What became of a file since it was stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Unchanged,
    /// Its mode, owner, group or number of links changed, and nothing points to its content.
    Attributes,
    /// Its change time moved alone: it was renamed, or was written to by a program that set the modification time back.
    RenamedOrWritten,
    /// It was written to or cut.
    Written,
}

impl Stamp {
    /// `NotFound` for anything but a regular file.
    #[cfg(target_os = "linux")]
    pub(super) fn of(file: &File) -> io::Result<Self> {
        use rustix::fs::{FileType, fstat};
        let stat = fstat(file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(not_regular());
        }
        // The types of these differ between processors.
        #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "see above")]
        let stamp = Self {
            identity: Some(Identity {
                device: stat.st_dev.into(),
                inode: stat.st_ino.into(),
                changed: time(stat.st_ctime.into(), u64::try_from(stat.st_ctime_nsec).unwrap_or_default())?,
                attributes: Attributes {
                    mode: stat.st_mode.into(),
                    owner: stat.st_uid.into(),
                    group: stat.st_gid.into(),
                    links: stat.st_nlink.into(),
                },
            }),
            length: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: time(stat.st_mtime.into(), u64::try_from(stat.st_mtime_nsec).unwrap_or_default())?,
        };
        Ok(stamp)
    }

    /// `NotFound` for anything but a regular file.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_regular());
        }
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt as _;
            Some(Identity {
                device: metadata.dev(),
                inode: metadata.ino(),
                changed: time(metadata.ctime(), u64::try_from(metadata.ctime_nsec()).unwrap_or_default())?,
                attributes: Attributes {
                    mode: metadata.mode(),
                    owner: metadata.uid(),
                    group: metadata.gid(),
                    links: metadata.nlink(),
                },
            })
        };
        #[cfg(not(unix))]
        let identity = None;
        Ok(Self { identity, length: metadata.len(), modified: metadata.modified()? })
    }

    /// The file system that the file is in, if the system tells.
    #[cfg(target_os = "linux")]
    pub(super) fn device(&self) -> Option<u64> {
        self.identity.map(|identity| identity.device)
    }

    /// Whether both are of one file, in whatever state.
    pub(super) fn same_file(&self, other: &Self) -> bool {
        let number = |stamp: &Self| stamp.identity.map(|identity| (identity.device, identity.inode));
        number(self).is_some() && number(self) == number(other)
    }

    /// Whether a name still leads to the file.
    pub(super) fn is_linked(&self) -> bool {
        self.identity.is_none_or(|identity| identity.attributes.links > 0)
    }

    /// What became of a file between two stamps of it.
    pub(super) fn since(&self, then: &Self) -> Since {
        if self == then {
            return Since::Unchanged;
        }
        match (self.identity, then.identity) {
            (Some(now), Some(before))
                if self.same_file(then) && self.length == then.length && self.modified == then.modified =>
            {
                if now.attributes == before.attributes {
                    Since::RenamedOrWritten
                } else {
                    Since::Attributes
                }
            }
            _ => Since::Written,
        }
    }

    pub(super) fn representation(&self, replicated: bool, now: SystemTime) -> Representation {
        match self.file_stamp() {
            Some(stamp) if !replicated => Representation::of_local_file(&stamp, now),
            _ => Representation::of_file(self.length, self.modified, now),
        }
    }

    /// Whether the modification time tells each change.
    pub(super) fn dates_itself(&self) -> bool {
        self.file_stamp().is_none_or(|stamp| stamp.dates_itself())
    }

    fn file_stamp(&self) -> Option<FileStamp> {
        let Identity { inode, changed, .. } = self.identity?;
        Some(FileStamp { length: self.length, modified: self.modified, changed, inode })
    }
}

/// A time before 1970 counts its nanoseconds from the second before.
#[cfg(unix)]
fn time(seconds: i64, nanos: u64) -> io::Result<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    let time = second.and_then(|time| time.checked_add(Duration::from_nanos(nanos)));
    time.ok_or_else(|| io::Error::other("a time that no clock can show"))
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "not a regular file")
}
