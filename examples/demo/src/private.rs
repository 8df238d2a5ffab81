//! Who on this machine may read the data folder: nobody but the demo's own account, and where a proxy's workers run under
//! another one, these as far as they must.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Whom files and folders are open to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Access {
    /// The group of the proxy's workers.
    workers: Option<u32>,
}

/// Closes what this process and its children make from now on to all other accounts: databases, logs, sockets.
pub(crate) fn close_new_files() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

impl Access {
    /// Lets the workers of a proxy that run as `group` read files.
    ///
    /// # Errors
    /// If the machine has no such group.
    pub(crate) fn for_workers(group: &str) -> io::Result<Self> {
        let groups = fs::read_to_string("/etc/group")?;
        let number = groups.lines().find_map(|line| {
            let mut columns = line.split(':');
            (columns.next() == Some(group)).then(|| columns.nth(1)?.parse().ok()).flatten()
        });
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no group {group}"));
        Ok(Self { workers: Some(number.ok_or_else(missing)?) })
    }

    /// Makes the data folder, and closes it. One that is there already and belongs to something else stays as it is: it
    /// might be `/tmp`.
    pub(crate) fn open_data_folder(self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        if folder.join("demo.db").exists() || fs::read_dir(folder)?.next().is_none() {
            // Workers pass through, and see nothing.
            set_mode(folder, if self.workers.is_some() { 0o711 } else { 0o700 })?;
        }
        Ok(())
    }

    /// Closes the folder of files and each file in it.
    pub(crate) fn close_files(self, folder: &Path) -> io::Result<()> {
        self.close(folder, 0o700, 0o750)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                match self.close(&entry.path(), 0o600, 0o640) {
                    // Another process may share the folder.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Makes a file.
    pub(crate) fn new_file(self, path: &Path) -> io::Result<File> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        if self.workers.is_some() {
            self.close(path, 0o600, 0o640)?;
        }
        Ok(file)
    }

    fn close(self, path: &Path, alone: u32, with_workers: u32) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(group) = self.workers {
            std::os::unix::fs::chown(path, None, Some(group))?;
        }
        set_mode(path, if self.workers.is_some() { with_workers } else { alone })
    }
}

/// Closes a folder to all other accounts.
pub(crate) fn close_folder(folder: &Path) -> io::Result<()> {
    set_mode(folder, 0o700)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path)?.permissions().mode() & 0o7777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn what_was_open_is_closed() {
        let folder = std::env::temp_dir().join(format!("demo-private-{}", crate::ids::session_id()));
        let (media, access) = (folder.join("media"), Access::default());
        access.open_data_folder(&folder).expect("made");
        fs::create_dir(&media).expect("made");
        fs::write(media.join("old"), "a").expect("written");
        for (path, open) in [(&folder, 0o755), (&media, 0o755), (&media.join("old"), 0o644)] {
            fs::set_permissions(path, fs::Permissions::from_mode(open)).expect("opened");
        }
        // A folder that is not the demo's stays as it is.
        access.open_data_folder(&folder).expect("there");
        assert_eq!(mode(&folder), 0o755);
        fs::write(folder.join("demo.db"), "").expect("written");
        access.open_data_folder(&folder).expect("there");
        access.close_files(&media).expect("closed");
        drop(access.new_file(&media.join("new")).expect("made"));
        assert_eq!((mode(&folder), mode(&media)), (0o700, 0o700));
        assert_eq!((mode(&media.join("old")), mode(&media.join("new"))), (0o600, 0o600));
        fs::remove_dir_all(&folder).expect("removed");
    }
}
