//! Signing in and out: the session's name travels in a signed cookie.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum_extra::extract::SignedCookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use demo::{SignIn, Site};

use crate::extract::{Jar, SmallForm};

const COOKIE: &str = "session";

/// The session that the browser names, if the signature is ours.
pub(crate) fn of(jar: &SignedCookieJar) -> Option<String> {
    jar.get(COOKIE).map(|cookie| cookie.value().to_owned())
}

pub(crate) async fn sign_in(
    State(site): State<Arc<Site>>,
    Jar(jar): Jar,
    SmallForm(form): SmallForm,
) -> Response {
    let form = match form {
        Ok(form) => form,
        Err(page) => return page.into_response(),
    };
    match site.sign_in(&form, of(&jar).as_deref()).await {
        SignIn::Refused(page) => page.into_response(),
        SignIn::Welcome { session, page } => {
            let cookie = Cookie::build((COOKIE, session))
                .path("/")
                .http_only(true)
                .same_site(SameSite::Lax)
                .secure(site.https_public());
            (jar.add(cookie), page).into_response()
        }
    }
}

pub(crate) async fn sign_out(State(site): State<Arc<Site>>, Jar(jar): Jar) -> Response {
    let page = site.sign_out(of(&jar).as_deref()).await;
    (jar.remove(Cookie::build(COOKIE).path("/")), page).into_response()
}
