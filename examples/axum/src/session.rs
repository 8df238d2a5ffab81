//! Signing in and out. The site sets the cookie.

use std::sync::Arc;

use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::HeaderMap;
use demo::{Page, Site};
use secure_download::axum::PeerAddr;

use crate::extract::SmallForm;

pub(crate) async fn form(State(site): State<Arc<Site>>, RawQuery(query): RawQuery) -> Page {
    site.login(query.as_deref())
}

pub(crate) async fn sign_in(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<PeerAddr>,
    headers: HeaderMap,
    SmallForm(form): SmallForm,
) -> Page {
    let peer = peer.tcp().map(|address| address.ip());
    site.sign_in(&headers, peer, form).await
}

pub(crate) async fn sign_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Page {
    site.sign_out(&headers).await
}
