//! Listing, uploading, sharing and deleting files. Downloading is the gate's work.

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use secure_download::{Body, Refusal, RequestHead};

use crate::account::out_of_order;
use crate::pages::{self, FileEntry, FilesPage};
use crate::store::{FileRow, User};
use crate::upload::{ReceiveError, StoreFileError, receive};
use crate::{FORM_LIMIT, Form, Page, Site, log_failure, redirect, refusal};

impl Site {
    /// Answers `GET /`.
    pub async fn home(&self, visitor: &Option<User>) -> Page {
        let Some(user) = visitor else { return redirect("/login") };
        let Ok(files) = self.store.files_of(user.id).await else { return out_of_order() };
        pages::files(&FilesPage {
            user: user.name.clone(),
            files: files.into_iter().map(|file| FileEntry::new(file, user)).collect(),
            strategy: self.strategy,
            downloads: self.traffic.downloads(),
            sent: pages::size(self.traffic.bytes()),
            max_upload: self.max_upload,
            max_upload_text: pages::size(self.max_upload),
        })
    }

    /// Who uploads, unless it can be told before anything is read that the upload must be refused. `announced` is the
    /// length of the whole request body, if the request says it.
    ///
    /// # Errors
    /// The page to answer with.
    pub fn admit_upload(&self, visitor: Option<User>, announced: Option<u64>) -> Result<User, Page> {
        // The form around the file is short.
        let most = self.max_upload.saturating_add(FORM_LIMIT as u64);
        match visitor {
            None => Err(sign_in_first()),
            Some(_) if announced.is_some_and(|announced| announced > most) => Err(self.too_large()),
            Some(user) => Ok(user),
        }
    }

    /// Answers `POST /upload` with the part of the form whose name is `file`: its `Content-Disposition` and its
    /// content. Nothing stays of a file that does not arrive as a whole.
    pub async fn upload<E>(
        &self,
        user: &User,
        content_disposition: &[u8],
        chunks: impl Stream<Item = Result<Bytes, E>>,
    ) -> Page {
        let received = match receive(&self.media, content_disposition, chunks, self.stall).await {
            Ok(received) => received,
            Err(error) => return self.refuse_received(&error),
        };
        // Everything is here, so it is stored even if the client does not wait for the answer.
        let (store, media, owner) = (self.store.clone(), self.media.clone(), user.id);
        let stored = tokio::spawn(async move {
            let file = received.finish().await?;
            let key = file.key.clone();
            // The row comes last: what is listed is complete.
            let added = store.add_file(owner, file).await;
            if added.is_err() {
                media.remove(&key).await;
            }
            Ok::<_, StoreFileError>(added.is_ok())
        });
        match stored.await {
            Ok(Ok(true)) => redirect("/"),
            Ok(Ok(false)) => out_of_order(),
            Ok(Err(error)) => self.refuse_received(&error.into()),
            Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, ""),
        }
    }

    /// Answers an upload whose form is broken, or holds no part named `file`.
    #[must_use]
    pub fn upload_without_file(&self) -> Page {
        refusal(StatusCode::BAD_REQUEST, "The upload held no file. Please choose one and try again.")
    }

    /// Answers `POST /files/{id}/share`. What is wrong with the form matters only to the owner.
    pub async fn share(&self, visitor: &Option<User>, id: &str, form: Result<Form, Page>) -> Page {
        let (file, form) = match self.own_file(visitor, id).await.and_then(|file| Ok((file, form?))) {
            Ok(both) => both,
            Err(page) => return page,
        };
        let Some(name) = form.get("with").map(str::trim).filter(|name| !name.is_empty()) else {
            return refusal(StatusCode::BAD_REQUEST, "Please say with whom to share the file.");
        };
        // The owner learns whether a user of that name exists. That is accepted: only people who are signed in can
        // ask, and a mistyped name that seems to work would be worse, as the owner would believe the file shared.
        match self.store.user_named(name).await {
            Ok(Some((other, _))) => match self.store.share(&file.id, other.id).await {
                Ok(()) => redirect("/"),
                Err(_) => out_of_order(),
            },
            Ok(None) => refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                "There is nobody of that name here. Please check the spelling; the file was not shared.",
            ),
            Err(_) => out_of_order(),
        }
    }

    /// Answers `POST /files/{id}/delete`.
    pub async fn delete(&self, visitor: &Option<User>, id: &str) -> Page {
        let file = match self.own_file(visitor, id).await {
            Ok(file) => file,
            Err(page) => return page,
        };
        match self.store.remove_file(file.owner, &file.id).await {
            Ok(Some(key)) => {
                self.end_links(&file.id).await;
                self.media.remove(&key).await;
                redirect("/")
            }
            // Deleted by another request in between.
            Ok(None) => refusal(StatusCode::NOT_FOUND, ""),
            Err(_) => out_of_order(),
        }
    }

    /// The visitor's own file. Another user's and an unknown one are refused alike, as the gate does.
    pub(crate) async fn own_file(&self, visitor: &Option<User>, id: &str) -> Result<FileRow, Page> {
        let Some(user) = visitor else { return Err(sign_in_first()) };
        match self.store.file(id).await {
            Ok(Some(file)) if file.owner == user.id => Ok(file),
            Ok(_) => Err(refusal(StatusCode::NOT_FOUND, "")),
            Err(_) => Err(out_of_order()),
        }
    }

    fn refuse_received(&self, error: &ReceiveError) -> Page {
        match error {
            ReceiveError::Nothing => self.upload_without_file(),
            ReceiveError::Stalled => refusal(StatusCode::REQUEST_TIMEOUT, ""),
            ReceiveError::Broken => refusal(StatusCode::BAD_REQUEST, ""),
            ReceiveError::Store(StoreFileError::TooLarge) => self.too_large(),
            ReceiveError::Store(error) => {
                log_failure("an upload was not stored", error);
                refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The file could not be stored. Please try again later.",
                )
            }
        }
    }

    fn too_large(&self) -> Page {
        let detail = format!("A file may have at most {}.", pages::size(self.max_upload));
        refusal(StatusCode::PAYLOAD_TOO_LARGE, &detail)
    }
}

impl Site {
    /// Answers a download that the gate refuses. Who must sign in comes back to `target`, the path and query of the request;
    /// nothing else in the answer depends on the request.
    #[must_use]
    pub fn refused(&self, refusal: Refusal, head: &RequestHead, target: &str) -> Page {
        let mut page = refusal.into_response(head);
        if page.status() == StatusCode::UNAUTHORIZED {
            let markup = pages::sign_in_markup(target);
            page.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(markup.len()));
            *page.body_mut() =
                if *head.method() == Method::HEAD { Body::empty() } else { Body::full(markup) };
        }
        page
    }
}

fn sign_in_first() -> Page {
    let mut page = refusal(StatusCode::UNAUTHORIZED, "");
    page.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Session realm=\"downloads\""));
    page
}
