//! Opening beneath a root, and nowhere else.

use std::fs::File;
use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use secure_download_core::FileKey;

use super::reads::Reads;
use super::stamp::Stamp;

/// A root folder, held open: what happens to its path later does not matter.
pub(super) struct Root {
    portable: Dir,
    /// The device, if it is a disk or memory of this machine.
    #[cfg(target_os = "linux")]
    local_device: Option<u64>,
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
        {
            let local_device = linux::local_device(&portable)?;
            Ok(Self { portable, local_device, kernel: None })
        }
        #[cfg(not(target_os = "linux"))]
        Ok(Self { portable })
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
    pub(super) fn open_cached(&self, key: &FileKey, refuse_symlinks: bool) -> Option<(File, Reads)> {
        #[cfg(target_os = "linux")]
        return self.kernel.as_ref()?.open_cached(key, refuse_symlinks);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (key, refuse_symlinks);
            None
        }
    }

    /// Opens, waiting as long as it takes.
    pub(super) fn open_beneath(&self, key: &FileKey, refuse_symlinks: bool) -> io::Result<(File, Reads)> {
        #[cfg(target_os = "linux")]
        if let Some(kernel) = &self.kernel
            && let Some(opened) = kernel.open_beneath(key, refuse_symlinks)
        {
            return opened.map(|file| (file, kernel.reads_of_any_mount()));
        }
        let mut options = OpenOptions::new();
        options.read(true);
        without_blocking(&mut options);
        let file = if refuse_symlinks {
            walk::open(&self.portable, key, &options)?
        } else {
            self.portable.open_with(key.as_str(), &options)?
        };
        Ok((file.into_std(), Reads::OnPool))
    }

    /// Whether the file system of a file is known to give each of its files a number of its own. Those on networks and in
    /// user space may not.
    pub(super) fn numbers_files(&self, stamp: &Stamp) -> bool {
        #[cfg(target_os = "linux")]
        return self.local_device.is_some() && self.local_device == stamp.device();
        #[cfg(not(target_os = "linux"))]
        {
            let _ = stamp;
            false
        }
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

mod walk {
    //! Opens a key one segment at a time, and refuses symbolic links.

    use std::io;

    use cap_std::fs::{Dir, File, Metadata, OpenOptions};
    use secure_download_core::FileKey;

    pub(super) fn open(root: &Dir, key: &FileKey, options: &OpenOptions) -> io::Result<File> {
        let mut folder = None;
        let mut segments = key.as_str().split('/').peekable();
        while let Some(segment) = segments.next() {
            let within = folder.as_ref().unwrap_or(root);
            let named = within.symlink_metadata(segment)?;
            if named.is_symlink() {
                return Err(refused());
            }
            if segments.peek().is_none() {
                let file = within.open_with(segment, options)?;
                return same(&named, &file.metadata()?).then_some(file).ok_or_else(refused);
            }
            let next = within.open_dir(segment)?;
            if !same(&named, &next.dir_metadata()?) {
                return Err(refused());
            }
            folder = Some(next);
        }
        Err(refused())
    }

    /// Whether what was opened is what was looked at: a link may have taken its place between the two.
    #[cfg(unix)]
    fn same(named: &Metadata, opened: &Metadata) -> bool {
        use cap_std::fs::MetadataExt as _;
        (named.dev(), named.ino()) == (opened.dev(), opened.ino())
    }

    /// Windows lets only administrators make symbolic links.
    #[cfg(not(unix))]
    fn same(_named: &Metadata, _opened: &Metadata) -> bool {
        true
    }

    fn refused() -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, "a symbolic link stands on the way")
    }
}

#[cfg(target_os = "linux")]
mod linux {
    //! `openat2(2)` with `RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS`: the kernel itself refuses every way out.

    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use cap_std::fs::Dir;
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

    impl FileSystem {
        fn of(root: impl AsFd) -> io::Result<Self> {
            // statfs(2): the magic numbers of file systems have 32 bits, in a type of 32 or 64 with or without a sign.
            let bytes = fstatfs(root)?.f_type.to_le_bytes();
            Ok(match u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) {
                // ext2 to ext4, XFS, Btrfs, F2FS, ZFS, overlayfs.
                0xef53 | 0x5846_5342 | 0x9123_683e | 0xf2f5_2010 | 0x2fc1_2fc1 | 0x794c_7630 => Self::Disk,
                // tmpfs, ramfs.
                0x0102_1994 | 0x8584_58f6 => Self::Memory,
                _ => Self::Other,
            })
        }
    }

    /// The device of a folder, if it is a disk or memory of this machine.
    pub(super) fn local_device(folder: &Dir) -> io::Result<Option<u64>> {
        use cap_std::fs::MetadataExt as _;
        let device = folder.dir_metadata()?.dev();
        Ok((FileSystem::of(folder)? != FileSystem::Other).then_some(device))
    }

    impl Kernel {
        pub(super) fn new(root: File) -> io::Result<Self> {
            let file_system = FileSystem::of(&root)?;
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
        pub(super) fn open_cached(&self, key: &FileKey, refuse_symlinks: bool) -> Option<(File, Reads)> {
            if self.file_system == FileSystem::Other || MISSING.load(Ordering::Relaxed) {
                return None;
            }
            self.openat2(key, ResolveFlags::CACHED | ResolveFlags::NO_XDEV | links(refuse_symlinks))
                .ok()
                .map(|file| (file, self.reads()))
        }

        /// `None` if this kernel, or a filter on its system calls, does not let us ask.
        pub(super) fn open_beneath(&self, key: &FileKey, refuse_symlinks: bool) -> Option<io::Result<File>> {
            if MISSING.load(Ordering::Relaxed) {
                return None;
            }
            for _ in 0..TRIES {
                match self.openat2(key, links(refuse_symlinks)) {
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

    fn links(refuse: bool) -> ResolveFlags {
        if refuse { ResolveFlags::NO_SYMLINKS } else { ResolveFlags::empty() }
    }
}
