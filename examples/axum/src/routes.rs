//! Which address is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri, RawQuery, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use demo::{FORM_LIMIT, Page, Site, asks_inline, asset, refusal};
use secure_download::Interstitial;
use secure_download::axum::{Head, interstitial};

use crate::extract::{Id, SmallForm, Visitor};
use crate::{linger, log, session};

pub(crate) fn router(site: Arc<Site>) -> Router {
    let guard = site.guard().cloned();
    // Of what other sites open, they learn nothing.
    let other_sites = interstitial(Interstitial::new());
    let router = Router::new()
        .route("/", get(home))
        .route("/login", get(session::form).post(session::sign_in))
        .route("/logout", post(session::sign_out))
        // The site's own limits count, and no file is held in memory.
        .route("/upload", post(upload))
        // The gate answers other methods than GET and HEAD.
        .route("/files/{id}", any(download).layer(other_sites.clone()))
        // Clients without a name of their own save under the last segment. A file may be called `share`, too.
        .route("/files/{id}/{name}", any(download).layer(other_sites.clone()))
        .route("/files/{id}/share", get(download).post(share).layer(other_sites.clone()))
        .route("/files/{id}/unshare", get(download).post(unshare).layer(other_sites.clone()))
        .route("/files/{id}/delete", get(download).post(delete).layer(other_sites.clone()))
        .route("/files/{id}/links", get(download).post(create_link).layer(other_sites))
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
        .layer(middleware::from_fn(linger::keep_reading))
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

async fn home(State(site): State<Arc<Site>>, Visitor(visitor): Visitor, RawQuery(query): RawQuery) -> Page {
    site.home(&visitor, query.as_deref()).await
}

async fn upload(State(site): State<Arc<Site>>, Visitor(visitor): Visitor, request: Request) -> Page {
    let (parts, body) = request.into_parts();
    site.upload(&visitor, &parts.headers, body.into_data_stream()).await
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

async fn unshare(
    State(site): State<Arc<Site>>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    SmallForm(form): SmallForm,
) -> Page {
    site.unshare(&visitor, &id, form).await
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
