//! From the body of a form, as every framework streams one, to files that are all here.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use multer::{Field, Multipart, parse_boundary};
use tokio::time::timeout;

use super::metered::Metered;
use super::name::Disposition;
use super::{Draft, Media, Share, StoreFileError};
use crate::FORM_LIMIT;
use crate::store::StoreError;

/// The most files of one form.
pub(crate) const MOST_FILES: usize = 1000;

/// The most parts of one form that hold no file.
const MOST_OTHERS: usize = 100;

/// What a form may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most bytes of all files together.
    pub(crate) bytes: u64,
    /// How long a client may send nothing, or nothing that comes to a part.
    pub(crate) stall: Duration,
}

/// Takes in all files of a form: the parts whose field is `file`. Of those that came nothing stays if one does not come.
pub(crate) async fn receive<E>(
    media: &Media,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin + Send,
    limits: Limits,
    share: &mut Share,
) -> Result<Vec<Draft>, ReceiveError>
where
    E: Error + Send + Sync + 'static,
{
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = parse_boundary(content_type.unwrap_or_default()).map_err(|_| ReceiveError::Nothing)?;
    let (body, allowance) = Metered::new(body);
    let mut form = Multipart::new(body, boundary);
    let mut receiving = Receiving { media, limits, share, bytes: 0, parts: 0, others: 0, other_bytes: 0 };
    let mut drafts = Vec::new();
    loop {
        allowance.for_head();
        let part = timeout(limits.stall, form.next_field()).await.map_err(|_| ReceiveError::Stalled)?;
        let Some(part) = part.map_err(|_| ReceiveError::Broken)? else { break };
        allowance.for_content();
        drafts.extend(receiving.part(part).await?);
    }
    if drafts.is_empty() { Err(ReceiveError::Nothing) } else { Ok(drafts) }
}

/// A form that arrives.
struct Receiving<'a> {
    media: &'a Media,
    limits: Limits,
    share: &'a mut Share,
    bytes: u64,
    parts: usize,
    others: usize,
    other_bytes: usize,
}

impl Receiving<'_> {
    /// Takes in one part, and returns the file if it holds one.
    async fn part(&mut self, mut part: Field<'_>) -> Result<Option<Draft>, ReceiveError> {
        // Not as the parser reads it: programs differ about quotes and encodings.
        let disposition = part.headers().get(CONTENT_DISPOSITION);
        let Disposition { field, file: name } =
            disposition.map(|value| Disposition::read(value.as_bytes())).unwrap_or_default();
        let field = field.unwrap_or_default();
        if field != "file" {
            return match name.filter(|name| !name.is_empty()) {
                Some(_) => Err(ReceiveError::OtherField(field)),
                None => self.skip(part).await,
            };
        }
        self.parts += 1;
        if self.parts > MOST_FILES {
            return Err(ReceiveError::TooMany);
        }
        let mut incoming = self.media.begin().await.map_err(StoreFileError::Io)?;
        while let Some(chunk) = self.chunk(&mut part).await? {
            self.bytes = self.bytes.saturating_add(chunk.len() as u64);
            if self.bytes > self.limits.bytes {
                return Err(ReceiveError::TooLarge);
            }
            if !self.share.take(chunk.len() as u64) {
                return Err(ReceiveError::OverQuota);
            }
            incoming.write(chunk).await?;
        }
        // What browsers send for a form in which no file was chosen.
        if incoming.size() == 0 && name.as_ref().is_none_or(String::is_empty) {
            return Ok(None);
        }
        Ok(Some(incoming.end(name).await?))
    }

    /// Throws a part away that holds no file.
    async fn skip(&mut self, mut part: Field<'_>) -> Result<Option<Draft>, ReceiveError> {
        self.others += 1;
        while let Some(chunk) = self.chunk(&mut part).await? {
            self.other_bytes = self.other_bytes.saturating_add(chunk.len());
            if self.other_bytes > FORM_LIMIT {
                break;
            }
        }
        if self.others > MOST_OTHERS || self.other_bytes > FORM_LIMIT {
            return Err(ReceiveError::TooMuchElse);
        }
        Ok(None)
    }

    async fn chunk(&self, part: &mut Field<'_>) -> Result<Option<Bytes>, ReceiveError> {
        let chunk = timeout(self.limits.stall, part.chunk()).await.map_err(|_| ReceiveError::Stalled)?;
        chunk.map_err(|_| ReceiveError::Broken)
    }
}

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReceiveError {
    /// The form held no file.
    #[error("no file was chosen")]
    Nothing,
    /// A file in a field of this name.
    #[error("a file in another field")]
    OtherField(String),
    /// Nothing came for a while.
    #[error("the client stopped sending")]
    Stalled,
    /// The body ended early or is no form, or a part has too long a head.
    #[error("the body is broken")]
    Broken,
    /// More bytes than an upload may have.
    #[error("the upload is too large")]
    TooLarge,
    /// More files than a form may have.
    #[error("too many files")]
    TooMany,
    /// More beside the files than a form may have.
    #[error("too much that is no file")]
    TooMuchElse,
    /// The user would store more than the quota.
    #[error("over the quota")]
    OverQuota,
    /// The database did not take the rows.
    #[error(transparent)]
    Rows(StoreError),
    /// A file was not stored.
    #[error(transparent)]
    Store(#[from] StoreFileError),
}
