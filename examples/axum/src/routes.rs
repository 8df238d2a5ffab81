//! Which address is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, OriginalUri, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH};
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use demo::{FORM_LIMIT, Page, Site, asks_inline, asset, refusal};
use secure_download::axum::Head;
use tokio::time::timeout;

use crate::extract::{Id, SmallForm, Visitor};
use crate::{linger, log, session};

pub(crate) fn router(site: Arc<Site>) -> Router {
    let guard = site.guard().cloned();
    let router = Router::new()
        .route("/", get(home))
        .route("/login", get(session::form).post(session::sign_in))
        .route("/logout", post(session::sign_out))
        // The site's own limit counts, and the file is never held in memory.
        .route("/upload", post(upload).layer(DefaultBodyLimit::disable()))
        // The gate answers other methods than GET and HEAD.
        .route("/files/{id}", any(download))
        // Clients without a name of their own save under the last segment. A file may be called `share`, too.
        .route("/files/{id}/{name}", any(download))
        .route("/files/{id}/share", get(download).post(share))
        .route("/files/{id}/delete", get(download).post(delete))
        .route("/files/{id}/links", get(download).post(create_link))
        .route("/d/{token}", get(link).post(redeem))
        // The gate answers other methods than GET and HEAD here too.
        .route("/d/{token}/file", any(leased))
        .route("/assets/{name}", get(async |Id(name): Id| asset(&name)))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(async |State(site): State<Arc<Site>>| site.ready().await))
        .fallback(async || refusal(StatusCode::NOT_FOUND, ""))
        .method_not_allowed_fallback(async || refusal(StatusCode::METHOD_NOT_ALLOWED, ""))
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(middleware::from_fn_with_state(Arc::clone(&site), refuse_misdirected))
        .layer(middleware::map_request(linger::keep_reading))
        .layer(middleware::from_fn_with_state(Arc::clone(&site), log::log))
        .with_state(site);
    match guard {
        Some(guard) => router.layer(guard),
        None => router,
    }
}

/// The whole use of the library in a handler: who asks, for what, and the few headers that delivery may see.
async fn download(
    State(site): State<Arc<Site>>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    OriginalUri(uri): OriginalUri,
    head: Head,
) -> Page {
    let request = site.gate().request(&visitor, &id);
    let request = if asks_inline(uri.query()) { request.inline() } else { request };
    match request.try_serve(&head).await {
        Ok(answer) => answer,
        Err(refusal) => site.refused(refusal, &head, uri.path_and_query().map_or("", PathAndQuery::as_str)),
    }
}

async fn home(State(site): State<Arc<Site>>, Visitor(visitor): Visitor) -> Page {
    site.home(&visitor).await
}

async fn upload(State(site): State<Arc<Site>>, Visitor(visitor): Visitor, request: Request) -> Page {
    let user = match site.admit_upload(visitor, announced(request.headers())) {
        Ok(user) => user,
        Err(page) => return page,
    };
    let Ok(mut form) = Multipart::from_request(request, &()).await else { return site.upload_without_file() };
    // Limited too: what never comes to a part would be collected for ever.
    while let Ok(Ok(Some(part))) = timeout(site.patience(), form.next_field()).await {
        if part.name() == Some("file") {
            // Taken apart by the site: browsers, curl and axum's parser differ about quotes in names.
            let disposition = part.headers().get(CONTENT_DISPOSITION).cloned();
            let disposition = disposition.as_ref().map_or(&b""[..], |value| value.as_bytes());
            return site.upload(&user, disposition, part).await;
        }
    }
    site.upload_without_file()
}

pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn share(
    State(site): State<Arc<Site>>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    SmallForm(form): SmallForm,
) -> Page {
    site.share(&visitor, &id, form).await
}

async fn delete(State(site): State<Arc<Site>>, Visitor(visitor): Visitor, Id(id): Id) -> Page {
    site.delete(&visitor, &id).await
}

async fn create_link(
    State(site): State<Arc<Site>>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    headers: HeaderMap,
    SmallForm(form): SmallForm,
) -> Page {
    site.create_link(&visitor, &id, &headers, form).await
}

async fn link(State(site): State<Arc<Site>>, Id(token): Id) -> Page {
    site.link(&token)
}

async fn redeem(State(site): State<Arc<Site>>, Id(token): Id) -> Page {
    site.redeem(&token).await
}

/// As [`download`], with a link's holder in place of somebody who is signed in.
async fn leased(State(site): State<Arc<Site>>, Id(token): Id, headers: HeaderMap, head: Head) -> Page {
    site.leased(&token, &headers, &head).await
}

async fn refuse_misdirected(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(Authority::as_str);
    match site.misdirected(request.method(), authority, request.headers()) {
        Some(page) => page.into_response(),
        None => next.run(request).await,
    }
}
