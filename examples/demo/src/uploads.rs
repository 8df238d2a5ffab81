//! Taking uploads in: what is refused before it is read, what while it arrives, and how the files of one form are stored, all
//! or none.

use std::error::Error;

use bytes::Bytes;
use futures_util::Stream;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use crate::account::out_of_order;
use crate::files::sign_in_first;
use crate::pages;
use crate::store::{AddError, NewFile, Store, User, UserId};
use crate::upload::{Draft, Limits, MOST_FILES, Media, ReceiveError, Share, receive};
use crate::{Page, Site, log_failure, redirect, refusal};

/// What a form may have beside the content of its files: boundaries and heads of parts.
const AROUND: u64 = 256 << 10;

impl Site {
    /// Answers `POST /upload`: a form with files in the parts named `file`. Nothing stays of a form that does not arrive as a
    /// whole.
    pub async fn upload<E>(
        &self,
        visitor: &Option<User>,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin + Send,
    ) -> Page
    where
        E: Error + Send + Sync + 'static,
    {
        let Some(user) = visitor else { return sign_in_first() };
        let Ok(stored) = self.store.stored(user.id).await else { return out_of_order() };
        let mut share = self.quota.begin(user.id, stored);
        // What can be told before anything is read.
        let content = announced(headers).unwrap_or_default().saturating_sub(AROUND);
        if content > self.max_upload {
            return self.refuse_upload(&ReceiveError::TooLarge);
        }
        if content > share.left() {
            return self.refuse_upload(&ReceiveError::OverQuota);
        }
        let limits = Limits { bytes: self.max_upload, stall: self.stall };
        let drafts = match receive(&self.media, headers, body, limits, &mut share).await {
            Ok(drafts) => drafts,
            Err(error) => return self.refuse_upload(&error),
        };
        // Everything is here, so it is stored even if the client does not wait for the answer.
        let (site, owner) = (self.storage(), user.id);
        match tokio::spawn(async move { site.keep(owner, drafts, share).await }).await {
            Ok(Ok(())) => redirect("/"),
            Ok(Err(error)) => self.refuse_upload(&error),
            Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, ""),
        }
    }

    fn storage(&self) -> Storage {
        Storage { store: self.store.clone(), media: self.media.clone(), quota: self.quota.limit() }
    }

    fn refuse_upload(&self, error: &ReceiveError) -> Page {
        let too_large = |detail: &str| refusal(StatusCode::PAYLOAD_TOO_LARGE, detail);
        match error {
            ReceiveError::Nothing => {
                refusal(StatusCode::BAD_REQUEST, "The upload held no file. Please choose one and try again.")
            }
            ReceiveError::OtherField(field) => refusal(
                StatusCode::BAD_REQUEST,
                &format!(
                    "Files belong in fields named “file”. This form has one in “{field}”. Nothing was stored."
                ),
            ),
            ReceiveError::Broken => refusal(
                StatusCode::BAD_REQUEST,
                "The upload broke off or is not a form. Nothing was stored. Please try again.",
            ),
            ReceiveError::Stalled => refusal(StatusCode::REQUEST_TIMEOUT, ""),
            ReceiveError::TooLarge => too_large(&format!(
                "An upload may have at most {}. Nothing was stored.",
                pages::size(self.max_upload)
            )),
            ReceiveError::TooMany => {
                too_large(&format!("An upload may have at most {MOST_FILES} files. Nothing was stored."))
            }
            ReceiveError::TooMuchElse => {
                too_large("The form holds too much beside its files. Nothing was stored.")
            }
            ReceiveError::OverQuota => too_large(&format!(
                "You may store {} in all, and this would be more. Nothing was stored. Please delete something first.",
                pages::size(self.quota.limit())
            )),
            ReceiveError::Store(error) => {
                log_failure("an upload was not stored", error);
                let detail = "The upload could not be stored. Please try again later.";
                refusal(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            // The store has logged it.
            ReceiveError::Rows(_) => out_of_order(),
        }
    }
}

/// The length of the whole request body, if the request says it.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Where files and their rows go, without the site.
struct Storage {
    store: Store,
    media: Media,
    quota: u64,
}

impl Storage {
    /// Puts all files in their places, or none.
    async fn keep(&self, owner: UserId, drafts: Vec<Draft>, share: Share) -> Result<(), ReceiveError> {
        let mut files: Vec<NewFile> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match draft.finish().await {
                Ok(file) => files.push(file),
                Err(error) => {
                    self.remove(files.into_iter().map(|file| file.key).collect()).await;
                    return Err(error.into());
                }
            }
        }
        let keys = files.iter().map(|file| file.key.clone()).collect();
        // The rows come last: what is listed is complete.
        match self.store.add_files(owner, files, self.quota).await {
            Ok(stored) => {
                share.stored(stored);
                Ok(())
            }
            Err(error) => {
                self.remove(keys).await;
                Err(match error {
                    AddError::OverQuota => ReceiveError::OverQuota,
                    AddError::Store(error) => ReceiveError::Rows(error),
                })
            }
        }
    }

    async fn remove(&self, keys: Vec<String>) {
        for key in keys {
            self.media.remove(&key).await;
        }
    }
}
