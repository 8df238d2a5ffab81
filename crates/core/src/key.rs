//! [`FileKey`]: where a file lives in storage.

use std::fmt;
use std::sync::Arc;

/// The longest key, in bytes. S3, GCS and Azure share this limit.
const MAX_LEN: usize = 1024;

/// A validated storage key: relative, `/`-separated, safe to join under a root.
///
/// Nothing is decoded or normalised: the key names exactly the bytes it was parsed from. A key is
/// refused if
///
/// - it is empty or longer than 1024 bytes,
/// - it starts or ends with `/`, or has an empty, `.` or `..` segment,
/// - it holds a control byte (0x00 to 0x1F, 0x7F) or a backslash.
///
/// Every other text is a key: spaces, `%`, `?`, quotes, any script, a literal `%2e%2e`.
///
/// ```
/// use secure_download_core::FileKey;
///
/// let key = FileKey::parse("scans/2026/a b%20c.png")?;
/// assert_eq!(key.as_str(), "scans/2026/a b%20c.png");
/// assert!(FileKey::parse("../etc/passwd").is_err());
/// # Ok::<(), secure_download_core::FileKeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(Arc<str>);

impl FileKey {
    /// Checks `key` and keeps it unchanged.
    ///
    /// # Errors
    /// [`FileKeyError`] says which rule the text breaks.
    pub fn parse(key: impl AsRef<str>) -> Result<Self, FileKeyError> {
        let key = key.as_ref();
        if key.is_empty() {
            return Err(FileKeyError::Empty);
        }
        if key.len() > MAX_LEN {
            return Err(FileKeyError::TooLong { length: key.len() });
        }
        if let Some(position) = key.bytes().position(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(FileKeyError::ControlByte { position });
        }
        if let Some(position) = key.bytes().position(|byte| byte == b'\\') {
            return Err(FileKeyError::Backslash { position });
        }
        if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(FileKeyError::Segment);
        }
        Ok(Self(key.into()))
    }

    /// The key as it was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `/`-separated segments, at least one, none empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileKey({:?})", self.as_str())
    }
}

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for FileKey {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::str::FromStr for FileKey {
    type Err = FileKeyError;

    fn from_str(key: &str) -> Result<Self, FileKeyError> {
        Self::parse(key)
    }
}

impl TryFrom<&str> for FileKey {
    type Error = FileKeyError;

    fn try_from(key: &str) -> Result<Self, FileKeyError> {
        Self::parse(key)
    }
}

/// Why a text is no [`FileKey`]. The messages do not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileKeyError {
    /// The text is empty.
    #[error("a file key must not be empty")]
    Empty,
    /// The text is longer than 1024 bytes.
    #[error("a file key has at most {MAX_LEN} bytes, this one has {length}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A byte below 0x20, or 0x7F.
    #[error("a file key must not hold a control byte (at byte {position})")]
    ControlByte {
        /// Where it stands, in bytes from the start.
        position: usize,
    },
    /// A backslash, which is a path separator on some systems.
    #[error("a file key must not hold a backslash (at byte {position})")]
    Backslash {
        /// Where it stands, in bytes from the start.
        position: usize,
    },
    /// An empty, `.` or `..` segment; a leading or trailing `/` makes an empty one.
    #[error("a file key must not have an empty, `.` or `..` segment")]
    Segment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_as_they_are_or_refused() {
        let long = "a".repeat(MAX_LEN);
        for good in [
            "a",
            "a/b",
            "a b",
            "%2e%2e/x",
            "a%20b",
            "é漢🙂",
            "...",
            "..a",
            "a..",
            ".hidden",
            "a?b#c&d+e",
            "\"'",
            "{env.HOME}",
            "a:b",
            "~",
            " lead",
            "trail ",
            "\u{85}",
            &long,
        ] {
            assert_eq!(FileKey::parse(good).expect(good).as_str(), good);
        }
        let too_long = "a".repeat(MAX_LEN + 1);
        for (bad, error) in [
            ("", FileKeyError::Empty),
            ("/", FileKeyError::Segment),
            ("/etc", FileKeyError::Segment),
            ("a/", FileKeyError::Segment),
            ("a//b", FileKeyError::Segment),
            (".", FileKeyError::Segment),
            ("..", FileKeyError::Segment),
            ("a/../b", FileKeyError::Segment),
            ("a/./b", FileKeyError::Segment),
            ("a\0b", FileKeyError::ControlByte { position: 1 }),
            ("a\nb", FileKeyError::ControlByte { position: 1 }),
            ("a\x7f", FileKeyError::ControlByte { position: 1 }),
            ("..\\x", FileKeyError::Backslash { position: 2 }),
            (too_long.as_str(), FileKeyError::TooLong { length: MAX_LEN + 1 }),
        ] {
            assert_eq!(FileKey::parse(bad), Err(error), "{bad:?}");
        }
    }
}
