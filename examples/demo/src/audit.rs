//! The audit log of `--audit`: who was given which file, and who was refused.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use secure_download::observe::JsonLines;

/// One file for each process, so that its end can be written down after all else has ended.
static LOG: OnceLock<JsonLines> = OnceLock::new();

/// Appends to the file from now on; makes one that only this account can read.
pub(crate) fn open(path: &Path) -> io::Result<JsonLines> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let log = JsonLines::new(options.open(path)?);
    // A second site in the same program writes a log of its own.
    let _ = LOG.set(log.clone());
    Ok(log)
}

/// Waits until every line is written. For the end of the program.
pub(crate) fn flush() {
    if let Some(log) = LOG.get() {
        log.flush();
    }
}
