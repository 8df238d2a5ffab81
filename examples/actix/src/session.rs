//! Signing in and out: the session's name travels in a signed cookie.

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::SessionMiddleware;
use actix_session::config::CookieContentSecurity;
use actix_session::storage::CookieSessionStore;
use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, CookieJar, Key, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{COOKIE, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest};
use demo::{SignIn, Site, readable_pairs, refusal};
use http::StatusCode;
use secure_download::actix::Delivered;

use crate::extract::{SmallForm, session_of};

const COOKIE_NAME: &str = "session";

/// Leaves out the cookies that hide the session: actix-web reads none if one is not UTF-8, and the session's middleware only
/// the first of its name, signed or not.
pub(crate) async fn readable(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let key = request.app_data::<Data<Site>>().map(|site| Key::from(site.cookie_key()));
    let is_signed = |cookie: Cookie<'static>| {
        let mut jar = CookieJar::new();
        jar.add_original(cookie);
        key.as_ref().is_some_and(|key| jar.signed(key).get(COOKIE_NAME).is_some())
    };
    let lines = request.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
    let pairs = readable_pairs(lines).filter(|pair| match Cookie::parse_encoded((*pair).to_owned()) {
        Ok(cookie) => cookie.name() != COOKIE_NAME || is_signed(cookie),
        Err(_) => false,
    });
    let line = HeaderValue::from_str(&pairs.collect::<Vec<_>>().join("; "));
    request.headers_mut().remove(COOKIE);
    if let Ok(line) = line {
        request.headers_mut().insert(COOKIE, line);
    }
    next.call(request).await
}

/// Keeps the identity in the session, under the name that the site gave it.
pub(crate) fn identity() -> IdentityMiddleware {
    IdentityMiddleware::default()
}

/// Keeps the session in a signed cookie.
pub(crate) fn cookie(site: &Site) -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::builder(CookieSessionStore::default(), Key::from(site.cookie_key()))
        .cookie_name(COOKIE_NAME.to_owned())
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
