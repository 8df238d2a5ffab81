//! From a stream of chunks, as every framework has one, to a stored file.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::timeout;

use super::media::Incoming;
use super::{Media, StoreFileError, file_name, or_default};
use crate::store::NewFile;

/// A file whose bytes are all here, and the name it shall have.
#[derive(Debug)]
pub(crate) struct Received {
    incoming: Incoming,
    name: String,
}

impl Received {
    /// Puts the file in its place. From now on it stays, so a row must name it.
    pub(crate) async fn finish(self) -> Result<NewFile, StoreFileError> {
        self.incoming.finish(self.name).await
    }
}

/// Takes in what `chunks` yields. `content_disposition` is that of the form's part.
pub(crate) async fn receive<E>(
    media: &Media,
    content_disposition: &[u8],
    chunks: impl Stream<Item = Result<Bytes, E>>,
    stall: Duration,
) -> Result<Received, ReceiveError> {
    let mut chunks = pin!(chunks);
    let mut incoming = media.begin().await.map_err(StoreFileError::Io)?;
    loop {
        match timeout(stall, chunks.next()).await {
            Err(_) => return Err(ReceiveError::Stalled),
            Ok(Some(Err(_))) => return Err(ReceiveError::Broken),
            Ok(Some(Ok(chunk))) => incoming.write(chunk).await?,
            Ok(None) => break,
        }
    }
    let name = file_name(content_disposition);
    // What browsers send for a form in which no file was chosen.
    if incoming.size() == 0 && name.as_ref().is_none_or(String::is_empty) {
        return Err(ReceiveError::Nothing);
    }
    let name = or_default(name, &incoming.content_type(""));
    Ok(Received { incoming, name })
}

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReceiveError {
    /// The form held no file.
    #[error("no file was chosen")]
    Nothing,
    /// Nothing came for a while.
    #[error("the client stopped sending")]
    Stalled,
    /// The body ended early or is no form.
    #[error("the body is broken")]
    Broken,
    /// The file was not stored.
    #[error(transparent)]
    Store(#[from] StoreFileError),
}
