//! [`OpenFiles`]: the descriptors that transfers share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use secure_download_core::FileKey;

use super::file::{Asked, OpenFile};
use super::stamp::Stamp;

/// Descriptors of running transfers, on offer to new transfers of the same version of the same file: ten thousand readers
/// of one file need one descriptor.
#[derive(Default)]
pub(super) struct OpenFiles {
    offers: Mutex<HashMap<Offer, Weak<OpenFile>>>,
}

/// The key is part of it: file systems exist that give one inode number to two files.
#[derive(PartialEq, Eq, Hash)]
struct Offer {
    key: FileKey,
    asked: Asked,
    stamp: Stamp,
}

impl Offer {
    fn of(file: &OpenFile) -> Self {
        Self { key: file.origin().key.clone(), asked: file.origin().asked, stamp: *file.stamp() }
    }
}

impl OpenFiles {
    /// The same file through a descriptor that is open already, if its file system is known to number files well: a disk
    /// or memory of this machine.
    pub(super) fn share(self: &Arc<Self>, file: OpenFile) -> Arc<OpenFile> {
        if !file.origin().root.numbers_files(file.stamp()) {
            return Arc::new(file);
        }
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        let offer = Offer::of(&file);
        if let Some(shared) = offers.get(&offer).and_then(Weak::upgrade) {
            return shared;
        }
        let offered = file.offer(self);
        offers.insert(offer, Arc::downgrade(&offered));
        offered
    }

    pub(super) fn withdraw(&self, file: &OpenFile) {
        let offer = Offer::of(file);
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer descriptor of the same version may have taken the place.
        if offers.get(&offer).is_some_and(|offered| offered.strong_count() == 0) {
            offers.remove(&offer);
        }
    }
}
