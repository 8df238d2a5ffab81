//! Which bucket, container or distribution a download is in.

use std::collections::HashMap;

use secure_download_core::{Download, SignError};

/// A default place and named ones.
#[derive(Debug)]
pub(crate) struct Volumes<B> {
    default: B,
    named: HashMap<String, B>,
}

impl<B> Volumes<B> {
    pub(crate) fn new(default: B) -> Self {
        Self { default, named: HashMap::new() }
    }

    pub(crate) fn insert(&mut self, name: String, place: B) {
        self.named.insert(name, place);
    }

    /// A name that was not given is never served from another place.
    pub(crate) fn find(&self, download: &Download) -> Result<&B, SignError> {
        match download.volume_name() {
            None => Ok(&self.default),
            Some(name) => self.named.get(name).ok_or(SignError::Inexpressible("no such volume")),
        }
    }
}
