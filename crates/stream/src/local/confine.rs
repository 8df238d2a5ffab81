//! Opening beneath a root, and nowhere else.

use std::fs::File;
use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use secure_download_core::FileKey;

use super::file::Reads;

/// A root folder, held open: what happens to its path later does not matter.
pub(super) struct Root {
    portable: Dir,
    #[cfg(target_os = "linux")]
    kernel: Option<linux::Kernel>,
}

impl Root {
    /// Confined by the kernel where it can, see [`linux`].
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let mut opened = Self::open_portable(root)?;
        opened.ask_kernel()?;
        Ok(opened)
    }

    /// Confined by walking each path step by step.
    pub(super) fn open_portable(root: &Path) -> io::Result<Self> {
        let portable = Dir::open_ambient_dir(root, ambient_authority())?;
        #[cfg(target_os = "linux")]
        return Ok(Self { portable, kernel: None });
        #[cfg(not(target_os = "linux"))]
        return Ok(Self { portable });
    }

    #[cfg(target_os = "linux")]
    fn ask_kernel(&mut self) -> io::Result<()> {
        self.kernel = Some(linux::Kernel::new(self.portable.try_clone()?.into_std_file())?);
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the other systems have nothing to ask"
    )]
    fn ask_kernel(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Opens without ever waiting for a disk. `None` if that cannot be promised: then [`Root::open_beneath`] is to be
    /// called where waiting is allowed.
    pub(super) fn open_cached(&self, key: &FileKey) -> Option<(File, Reads)> {
        #[cfg(target_os = "linux")]
        return self.kernel.as_ref()?.open_cached(key);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = key;
            None
        }
    }

    /// Opens, waiting as long as it takes.
    pub(super) fn open_beneath(&self, key: &FileKey) -> io::Result<(File, Reads)> {
        #[cfg(target_os = "linux")]
        if let Some(kernel) = &self.kernel
            && let Some(opened) = kernel.open_beneath(key)
        {
            return opened.map(|file| (file, kernel.reads_of_any_mount()));
        }
        let mut options = OpenOptions::new();
        options.read(true);
        without_blocking(&mut options);
        let file = self.portable.open_with(key.as_str(), &options)?;
        Ok((file.into_std(), Reads::OnPool))
    }
}

/// The open of a FIFO must not wait for a writer.
#[cfg(target_os = "linux")]
fn without_blocking(options: &mut OpenOptions) {
    use cap_std::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
}

#[cfg(not(target_os = "linux"))]
fn without_blocking(_options: &mut OpenOptions) {}

/// Whether this process or this system has no descriptors or memory left.
#[cfg(target_os = "linux")]
pub(super) fn exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn exhausted(_error: &io::Error) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod linux {
    //! `openat2(2)` with `RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS`: the kernel itself refuses every way out.

    use std::fs::File;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{Mode, OFlags, ResolveFlags, fstatfs, openat2};
    use rustix::io::Errno;
    use secure_download_core::FileKey;

    use super::Reads;

    /// Set once the kernel has said that it has no `openat2` (before Linux 5.6).
    static MISSING: AtomicBool = AtomicBool::new(false);

    /// A rename anywhere may make one look-up fail with `EAGAIN`; so many in a row are no accident.
    const TRIES: usize = 4;

    pub(super) struct Kernel {
        root: File,
        file_system: FileSystem,
        nowait_missing: Arc<AtomicBool>,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum FileSystem {
        /// On a local disk: opens and reads wait for nothing but that disk.
        Disk,
        /// In memory.
        Memory,
        /// On a network, in user space, or unknown: anything may wait.
        Other,
    }

    impl Kernel {
        pub(super) fn new(root: File) -> io::Result<Self> {
            // statfs(2): the magic numbers of file systems.
            let file_system = match fstatfs(&root)?.f_type {
                0xef53 | 0x5846_5342 | 0x9123_683e | 0xf2f5_2010 | 0x2fc1_2fc1 | 0x794c_7630 => {
                    FileSystem::Disk
                }
                0x0102_1994 | 0x8584_58f6 => FileSystem::Memory,
                _ => FileSystem::Other,
            };
            Ok(Self { root, file_system, nowait_missing: Arc::default() })
        }

        /// For a file on the root's own mount.
        fn reads(&self) -> Reads {
            match self.file_system {
                FileSystem::Disk => Reads::IfCached { missing: Arc::clone(&self.nowait_missing) },
                FileSystem::Memory => Reads::AtOnce,
                FileSystem::Other => Reads::OnPool,
            }
        }

        /// For a file that another mount beneath the root may hold: nothing but asking is safe.
        pub(super) fn reads_of_any_mount(&self) -> Reads {
            match self.reads() {
                Reads::AtOnce => Reads::OnPool,
                reads => reads,
            }
        }

        /// Stays on the root's own mount and in the caches (`RESOLVE_CACHED`, Linux 5.12).
        pub(super) fn open_cached(&self, key: &FileKey) -> Option<(File, Reads)> {
            if self.file_system == FileSystem::Other || MISSING.load(Ordering::Relaxed) {
                return None;
            }
            self.openat2(key, ResolveFlags::CACHED | ResolveFlags::NO_XDEV)
                .ok()
                .map(|file| (file, self.reads()))
        }

        /// `None` if this kernel, or a filter on its system calls, does not let us ask.
        pub(super) fn open_beneath(&self, key: &FileKey) -> Option<io::Result<File>> {
            if MISSING.load(Ordering::Relaxed) {
                return None;
            }
            for _ in 0..TRIES {
                match self.openat2(key, ResolveFlags::empty()) {
                    Ok(file) => return Some(Ok(file)),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(Errno::NOSYS) => {
                        MISSING.store(true, Ordering::Relaxed);
                        return None;
                    }
                    // Filters answer EPERM. Should the file itself be the reason, the other way says so too.
                    Err(Errno::PERM) => return None,
                    // EXDEV, a way out of the root, is among them.
                    Err(error) => return Some(Err(error.into())),
                }
            }
            Some(Err(Errno::AGAIN.into()))
        }

        fn openat2(&self, key: &FileKey, also: ResolveFlags) -> Result<File, Errno> {
            // NONBLOCK: the open of a FIFO must not wait for a writer.
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | also;
            openat2(&self.root, key.as_str(), flags, Mode::empty(), resolve).map(File::from)
        }
    }
}
