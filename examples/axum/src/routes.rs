//! Which address is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequest as _, Multipart, RawQuery, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum_extra::extract::cookie::Key;
use demo::{FORM_LIMIT, Page, Site, asks_inline, asset, cross_site, refusal};
use secure_download::Interstitial;
use secure_download::axum::{Head, interstitial};
use tokio::time::timeout;

use crate::extract::{Id, SmallForm, Visitor};
use crate::{linger, log, session};

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct App {
    site: Arc<Site>,
    cookie_key: Key,
}

pub(crate) fn router(site: Arc<Site>) -> Router {
    let cookie_key = Key::from(site.cookie_key());
    let guard = site.guard().cloned();
    // Of what other sites open, they learn nothing.
    let other_sites = interstitial(Interstitial::new());
    let router = Router::new()
        .route("/", get(home))
        .route("/login", get(login).post(session::sign_in))
        .route("/logout", post(session::sign_out))
        // The site's own limit counts, and the file is never held in memory.
        .route("/upload", post(upload).layer(DefaultBodyLimit::disable()))
        // The gate answers other methods than GET and HEAD.
        .route("/files/{id}", any(download).layer(other_sites.clone()))
        // Clients without a name of their own save under the last segment. A file may be called `share`, too.
        .route("/files/{id}/{name}", any(download).layer(other_sites.clone()))
        .route("/files/{id}/share", get(download).post(share).layer(other_sites.clone()))
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
        .layer(middleware::from_fn(refuse_cross_site))
        .layer(middleware::map_request(linger::keep_reading))
        .layer(middleware::from_fn_with_state(Arc::clone(&site), log::log))
        .with_state(App { site, cookie_key });
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
    RawQuery(query): RawQuery,
    head: Head,
) -> Page {
    let request = site.gate().request(&visitor, &id);
    let request = if asks_inline(query.as_deref()) { request.inline() } else { request };
    request.serve(&head).await
}

async fn home(State(site): State<Arc<Site>>, Visitor(visitor): Visitor) -> Page {
    site.home(&visitor).await
}

async fn login(State(site): State<Arc<Site>>) -> Page {
    site.login()
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

async fn refuse_cross_site(request: Request, next: Next) -> Response {
    if cross_site::allows(request.method(), request.headers()) {
        next.run(request).await
    } else {
        refusal(StatusCode::FORBIDDEN, "This request came from another site.").into_response()
    }
}
