//! Listing, sharing and deleting files. Downloading is the gate's work.

use http::header::{CONTENT_LENGTH, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use secure_download::{Body, Refusal, RequestHead};

use crate::account::out_of_order;
use crate::pages::{self, FileEntry, FilesPage};
use crate::store::{FileRow, User};
use crate::{Form, Page, Site, redirect, refusal};

impl Site {
    /// Answers `GET /`. The query may name a `page`, from 1.
    pub async fn home(&self, visitor: &Option<User>, query: Option<&str>) -> Page {
        let Some(user) = visitor else { return redirect("/login") };
        let Some(page) = page_number(query) else {
            return refusal(StatusCode::BAD_REQUEST, "The pages of the list are numbered from 1.");
        };
        let Ok((files, goes_on)) = self.store.files_of(user.id, page - 1).await else {
            return out_of_order();
        };
        if files.is_empty() && page > 1 {
            return refusal(StatusCode::NOT_FOUND, "The list has no such page.");
        }
        pages::files(&FilesPage {
            user: user.name.clone(),
            files: files.into_iter().map(|file| FileEntry::new(file, user)).collect(),
            page,
            newer: (page > 1).then(|| page - 1),
            older: goes_on.then(|| page.saturating_add(1)),
            strategy: self.strategy,
            downloads: self.traffic.downloads(),
            sent: pages::size(self.traffic.bytes()),
            max_upload: self.max_upload,
            max_upload_text: pages::size(self.max_upload),
        })
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

    /// Answers `POST /files/{id}/unshare`: the owner takes the file back from another user, or another user takes it off the
    /// own list.
    pub async fn unshare(&self, visitor: &Option<User>, id: &str, form: Result<Form, Page>) -> Page {
        let Some(user) = visitor else { return sign_in_first() };
        let file = match self.store.file(id).await {
            Ok(Some(file)) => file,
            Ok(None) => return refusal(StatusCode::NOT_FOUND, ""),
            Err(_) => return out_of_order(),
        };
        let is_owner = file.owner == user.id;
        if !is_owner {
            match self.store.is_shared(id, user.id).await {
                Ok(true) => {}
                Ok(false) => return refusal(StatusCode::NOT_FOUND, ""),
                Err(_) => return out_of_order(),
            }
        }
        let form = match form {
            Ok(form) => form,
            Err(page) => return page,
        };
        let Some(name) = form.get("with").map(str::trim).filter(|name| !name.is_empty()) else {
            return refusal(StatusCode::BAD_REQUEST, "Please say from whom to take the file.");
        };
        if !is_owner && name != user.name {
            return refusal(StatusCode::FORBIDDEN, "Only its owner can take the file from somebody else.");
        }
        match self.store.unshare(&file.id, name).await {
            Ok(true) => redirect("/"),
            Ok(false) => refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                "There is nobody of that name here. Please check the spelling; nothing was changed.",
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
}

/// The page that a query names: the first, unless it says otherwise.
fn page_number(query: Option<&str>) -> Option<u32> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    match pairs.find(|(name, _)| name == "page") {
        None => Some(1),
        Some((_, number)) => number.parse().ok().filter(|number| *number > 0),
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

pub(crate) fn sign_in_first() -> Page {
    let mut page = refusal(StatusCode::UNAUTHORIZED, "");
    page.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Session realm=\"downloads\""));
    page
}
