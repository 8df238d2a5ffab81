//! Signing in and out: the session's name travels in a signed cookie.

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::SessionMiddleware;
use actix_session::config::CookieContentSecurity;
use actix_session::storage::CookieSessionStore;
use actix_web::cookie::{Key, SameSite};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest};
use demo::{SignIn, Site, refusal};
use http::StatusCode;
use secure_download::actix::Delivered;

use crate::extract::{SmallForm, session_of};

/// Keeps the identity in the session, under the name that the site gave it.
pub(crate) fn identity() -> IdentityMiddleware {
    IdentityMiddleware::default()
}

/// Keeps the session in a signed cookie.
pub(crate) fn cookie(site: &Site) -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), Key::from(site.cookie_key()))
        .cookie_name("session".to_owned())
        .cookie_content_security(CookieContentSecurity::Signed)
        .cookie_same_site(SameSite::Lax)
        .cookie_secure(site.https_public())
        .build()
}

pub(crate) async fn sign_in(request: HttpRequest, site: Data<Site>, SmallForm(form): SmallForm) -> Delivered {
    let form = match form {
        Ok(form) => form,
        Err(page) => return page.into(),
    };
    match site.sign_in(&form, session_of(&request).as_deref()).await {
        SignIn::Refused(page) => page.into(),
        SignIn::Welcome { session, page } => match Identity::login(&request.extensions(), session) {
            Ok(_) => page.into(),
            Err(error) => {
                demo::log_failure("a session was not kept", &error);
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "").into()
            }
        },
    }
}

pub(crate) async fn sign_out(
    request: HttpRequest,
    site: Data<Site>,
    identity: Option<Identity>,
) -> Delivered {
    let page = site.sign_out(session_of(&request).as_deref()).await;
    if let Some(identity) = identity {
        identity.logout();
    }
    page.into()
}
