//! [`Canary`]: the files that a deployment check asks for.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use secure_download_core::{CachePolicy, Download};

/// The folder of all canaries in each folder of the mapping.
pub(crate) const FOLDER: &str = ".secure-download-canary";

/// What the canary that is a symbolic link points to: a file that is on nearly every system, and tells nothing that is
/// not public.
#[cfg(unix)]
const LINK_TARGET: &str = "/usr/lib/os-release";

/// What a proxy opens in place of [`Canary::Odd`] if it undoes the escaping once too often, never, or cuts it at a mark.
const DECOYS: [&str; 4] = ["a bA\u{e9}#?.bin", "a%20b%2541%C3%A9%23%3F.bin", "a b%41\u{e9}#", "a b%41\u{e9}"];

/// Endings of compressed neighbours of [`Canary::Plain`], which some servers send in place of the file.
const PACKED: [&str; 3] = ["gz", "br", "zst"];

/// One file, with fixed name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// A plain name, delivered inline with every header that a plan can have.
    Plain,
    /// A name that tells wrong escaping, beside its decoys.
    Odd,
    /// Another plain name, and another length.
    Other,
    /// A name that no file has.
    Missing,
    /// A symbolic link out of the folder.
    Link,
}

impl Canary {
    /// Every canary.
    pub const ALL: [Self; 5] = [Self::Plain, Self::Odd, Self::Other, Self::Missing, Self::Link];

    /// Its name in the doctor's paths.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Odd => "odd",
            Self::Other => "other",
            Self::Missing => "missing",
            Self::Link => "link",
        }
    }

    /// The file's path within a folder of the mapping.
    #[must_use]
    pub fn path(self) -> String {
        format!("{FOLDER}/{}", self.file_name())
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Plain => "plain.txt",
            Self::Odd => "a b%41\u{e9}#?.bin",
            Self::Other => "other.txt",
            Self::Missing => "missing.txt",
            Self::Link => "link.txt",
        }
    }

    /// What the file holds, if it is a file.
    #[must_use]
    pub fn content(self) -> Option<Vec<u8>> {
        match self {
            Self::Plain | Self::Odd => Some(content(self.id(), 100)),
            Self::Other => Some(content(self.id(), 101)),
            Self::Missing | Self::Link => None,
        }
    }

    /// The decoy that has this content.
    #[must_use]
    pub fn decoy(content: &[u8]) -> Option<&'static str> {
        DECOYS.into_iter().enumerate().find(|(index, _)| content == decoy(*index)).map(|(_, name)| name)
    }

    /// Whether this is the content of a compressed neighbour of [`Canary::Plain`].
    #[must_use]
    pub fn is_packed(content: &[u8]) -> bool {
        content == packed()
    }

    /// How a download of it looks.
    pub(crate) fn describe(self, download: Download) -> Download {
        let download = download.filename(self.file_name()).content_type("text/plain; charset=utf-8");
        match self {
            Self::Plain => download.inline().cache(CachePolicy::Private { max_age: Duration::from_secs(1) }),
            _ => download,
        }
    }
}

fn content(label: &str, lines: usize) -> Vec<u8> {
    format!("secure-download canary {label}\n").repeat(lines).into_bytes()
}

fn decoy(index: usize) -> Vec<u8> {
    content(&format!("decoy {index}"), 100)
}

fn packed() -> Vec<u8> {
    content("packed", 10)
}

/// Writes the canaries into `folder`, one of the mapping's, beneath `.secure-download-canary`. They hold nothing secret;
/// remove the folder when it is not needed any more.
///
/// ```
/// use secure_download_accel_redirect::doctor::write_canaries;
///
/// # let folder = tempfile::tempdir()?;
/// # let media = folder.path();
/// write_canaries(media)?;
/// // ... once the doctor has been:
/// std::fs::remove_dir_all(media.join(".secure-download-canary"))?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// What the system says if they cannot be written.
pub fn write_canaries(folder: &Path) -> io::Result<()> {
    let canaries = folder.join(FOLDER);
    fs::create_dir_all(&canaries)?;
    for canary in Canary::ALL {
        if let Some(content) = canary.content() {
            fs::write(canaries.join(canary.file_name()), content)?;
        }
    }
    for (index, name) in DECOYS.into_iter().enumerate() {
        fs::write(canaries.join(name), decoy(index))?;
    }
    for ending in PACKED {
        fs::write(canaries.join(format!("{}.{ending}", Canary::Plain.file_name())), packed())?;
    }
    #[cfg(unix)]
    match std::os::unix::fs::symlink(LINK_TARGET, canaries.join(Canary::Link.file_name())) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    Ok(())
}
