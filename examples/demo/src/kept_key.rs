//! Keys that sign cookies and links, kept so that a restart signs nobody out and ends no link.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Long enough for the signing key of either framework, and for links.
pub(crate) const LENGTH: usize = 64;

/// Reads the key from `path`, or makes one that only this user can read.
pub(crate) fn load_or_create(path: &Path) -> io::Result<[u8; LENGTH]> {
    if !path.exists() {
        create(path)?;
    }
    let mut kept = Vec::new();
    File::open(path)?.read_to_end(&mut kept)?;
    kept.try_into().map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a key of this demo", path.display()))
    })
}

/// Written under another name first: a second process that starts now must not read half a key.
fn create(path: &Path) -> io::Result<()> {
    let mut fresh = [0; LENGTH];
    getrandom::fill(&mut fresh).map_err(io::Error::other)?;
    let draft = path.with_extension(std::process::id().to_string());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&draft)?.write_all(&fresh)?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        // Another process was quicker; its key is as good.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
