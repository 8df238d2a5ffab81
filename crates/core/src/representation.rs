//! [`Representation`]: the state of a file that an answer is about.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use crate::ETag;

/// How old a modification time must be before it tells versions apart: file systems and stores may record two changes
/// within one tick as one time.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What a strategy found in storage: the file as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Representation {
    /// Length in bytes.
    pub length: u64,
    /// The validator, if there is one. For a file, see [`Representation::of_local_file`].
    pub etag: Option<ETag>,
    /// The last change. Times before 1970 are not sent, times in the future are sent as now.
    pub last_modified: Option<SystemTime>,
}

/// What a file system says about one state of a file, for [`Representation::of_local_file`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Length in bytes.
    pub length: u64,
    /// When the content was last written to, as far as its writers let it stand.
    pub modified: SystemTime,
    /// When content or attributes last changed (`st_ctime`). Writers cannot set it.
    pub changed: SystemTime,
    /// The number of the file in its file system (`st_ino`).
    pub inode: u64,
}

impl FileStamp {
    /// Whether the modification time is the time of the last change, within two seconds. If it is not, it was set by hand:
    /// a restored backup, a copy that keeps times, or a writer that hides its change.
    #[must_use]
    pub fn dates_itself(&self) -> bool {
        self.changed.duration_since(self.modified).is_ok_and(|later| later <= SETTLED_AFTER)
            || self.changed <= self.modified
    }
}

impl Representation {
    /// A file of `length` bytes, last changed at `modified`, seen at `now`, that several machines hold copies of.
    ///
    /// The entity tag is made of the length and the time in nanoseconds alone, so that copies agree. It is weak until the
    /// file has been left alone for two seconds, because the next change might not move its time. Two files of one length
    /// and one time get one tag. For a file that one machine holds, use [`Representation::of_local_file`].
    #[must_use]
    pub fn of_file(length: u64, modified: SystemTime, now: SystemTime) -> Self {
        let mut tag = String::with_capacity(33);
        push_hexadecimal(&mut tag, length);
        push_time(&mut tag, modified);
        Self { length, etag: tagged(tag, settled(modified, now)), last_modified: Some(modified) }
    }

    /// The file of this stamp, seen at `now`.
    ///
    /// The entity tag is made of everything in the stamp, so files that the file system tells apart have different tags. It
    /// is weak until content and attributes have been left alone for two seconds, because the next change might not move
    /// the times.
    ///
    /// ```
    /// use secure_download_core::{FileStamp, Representation};
    /// use std::time::{Duration, SystemTime};
    ///
    /// let now = SystemTime::now();
    /// let then = now - Duration::from_secs(60);
    /// let stamp = FileStamp { length: 5, modified: then, changed: then, inode: 7 };
    /// let other = FileStamp { inode: 8, ..stamp };
    /// let (file, other) = (Representation::of_local_file(&stamp, now), Representation::of_local_file(&other, now));
    /// assert_ne!(file.etag, other.etag);
    /// ```
    #[must_use]
    pub fn of_local_file(stamp: &FileStamp, now: SystemTime) -> Self {
        let mut tag = String::with_capacity(67);
        push_hexadecimal(&mut tag, stamp.length);
        push_time(&mut tag, stamp.modified);
        push_time(&mut tag, stamp.changed);
        tag.push('-');
        push_hexadecimal(&mut tag, stamp.inode);
        let settled = settled(stamp.modified, now) && settled(stamp.changed, now);
        Self { length: stamp.length, etag: tagged(tag, settled), last_modified: Some(stamp.modified) }
    }
}

/// Whether a time is old enough that the next change moves it.
fn settled(time: SystemTime, now: SystemTime) -> bool {
    now.duration_since(time).is_ok_and(|age| age >= SETTLED_AFTER)
}

fn tagged(opaque: String, settled: bool) -> Option<ETag> {
    if settled { ETag::strong(opaque) } else { ETag::weak(opaque) }
}

/// `-{nanos:x}`, and one more `-` before 1970; without the formatting machinery, because every request needs it.
fn push_time(text: &mut String, time: SystemTime) {
    text.push('-');
    let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_nanos(),
        Err(before) => {
            text.push('-');
            before.duration().as_nanos()
        }
    };
    match u64::try_from(nanos) {
        Ok(nanos) => push_hexadecimal(text, nanos),
        // After the year 2554.
        Err(_) => drop(write!(text, "{nanos:x}")),
    }
}

fn push_hexadecimal(text: &mut String, number: u64) {
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        text.push(char::from(b"0123456789abcdef"[(number >> (4 * place) & 0xf) as usize]));
    }
}
