//! Files that are there on the first run, so that there is something to look at.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::store::{Store, StoreError, User};
use crate::upload::{Media, StoreFileError};

/// For the first user; the newest comes last. The drawing and the web page show that such files are never opened in
/// the browser.
const FIRST: [(&str, &[u8]); 6] = [
    ("Newsletter.html", include_bytes!("../samples/newsletter.html")),
    ("Floor plan.svg", include_bytes!("../samples/floor-plan.svg")),
    ("Chime.flac", include_bytes!("../samples/chime.flac")),
    ("Invoice 2026-031.pdf", include_bytes!("../samples/invoice.pdf")),
    ("Harbour at dusk.jpg", include_bytes!("../samples/harbour.jpg")),
    ("Read me first.txt", include_bytes!("../samples/read-me.txt")),
];

/// For the second user, or for the first too if there is only one.
const SECOND: [(&str, &[u8]); 2] = [
    ("Mountains.png", include_bytes!("../samples/mountains.png")),
    ("Shopping list.txt", include_bytes!("../samples/shopping-list.txt")),
];

/// Adds the samples, once in the life of a data folder: whoever deletes them has deleted them.
pub(crate) async fn add_on_first_run(
    folder: &Path,
    store: &Store,
    media: &Media,
    users: &[User],
) -> Result<(), SampleError> {
    match File::create_new(folder.join("samples-added")) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    };
    let (Some(first), Some(second)) = (users.first(), users.get(1).or(users.first())) else { return Ok(()) };
    let all = FIRST.map(|sample| (first, sample)).into_iter().chain(SECOND.map(|sample| (second, sample)));
    for (owner, (name, bytes)) in all {
        let mut incoming = media.begin().await?;
        incoming.write(Bytes::from_static(bytes)).await?;
        let file = incoming.end(Some(name.to_owned())).await?.finish().await?;
        store.add_sample(owner.id, file).await?;
    }
    Ok(())
}

/// Why a sample is missing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    #[error("no sample files: {0}")]
    Io(#[from] io::Error),
    #[error("no sample files: {0}")]
    File(#[from] StoreFileError),
    #[error("no sample files: {0}")]
    Store(#[from] StoreError),
}
