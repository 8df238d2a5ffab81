//! Signing in and out.

use std::net::IpAddr;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::form::query_field;
use crate::store::User;
use crate::{Form, Page, Site, next, pages, redirect, refusal};

impl Site {
    /// Answers `GET /login`, with the query of the request.
    #[must_use]
    pub fn login(&self, query: Option<&str>) -> Page {
        let target = query_field(query, "next").unwrap_or_default();
        pages::login(false, "", next::checked(&target))
    }

    /// Answers `POST /login`. `peer` is the address that the connection comes from.
    pub async fn sign_in(&self, headers: &HeaderMap, peer: Option<IpAddr>, form: Result<Form, Page>) -> Page {
        let form = match form {
            Ok(form) => form,
            Err(page) => return page,
        };
        let (name, password) =
            (form.get("username").unwrap_or_default(), form.get("password").unwrap_or_default());
        let target = form.get("next").and_then(next::checked);
        let mut attempt = self.passwords.begin(self.client(peer, headers), name);
        let Ok(turn) = attempt.turn().await else {
            attempt.hold().await;
            return busy();
        };
        let Ok(known) = self.store.user_named(name).await else { return out_of_order() };
        let (user, hash) = known.unzip();
        let is_right = self.passwords.verify(turn, password.to_owned(), hash).await;
        let Some(user) = user.filter(|_| is_right) else {
            attempt.hold().await;
            return pages::login(true, name, target);
        };
        // A session is one user's; the next one gets a fresh name.
        let _ = self.store.end_sessions(self.session_cookie.sessions(headers)).await;
        match self.store.begin_session(user.id).await {
            Ok(session) => self.session_cookie.keep(&session, redirect(target.unwrap_or("/"))),
            Err(_) => out_of_order(),
        }
    }

    /// Answers `POST /logout`.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Page {
        if self.store.end_sessions(self.session_cookie.sessions(headers)).await.is_err() {
            return out_of_order();
        }
        self.session_cookie.forget(redirect("/login"))
    }

    /// Who sent this request; `None` is an anonymous visitor.
    ///
    /// # Errors
    /// The page to answer with if that cannot be told now. Nobody is taken for anonymous by mistake.
    pub async fn visitor(&self, headers: &HeaderMap) -> Result<Option<User>, Page> {
        let sessions = self.session_cookie.sessions(headers);
        if sessions.is_empty() {
            return Ok(None);
        }
        self.store.session_user(sessions).await.map_err(|_| out_of_order())
    }
}

/// Too many sign in at the moment. A browser keeps the form when one goes back.
fn busy() -> Page {
    let detail = "Too many people are signing in. Please go back and try again in a few seconds.";
    let mut page = refusal(StatusCode::SERVICE_UNAVAILABLE, detail);
    page.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    page
}

/// The database does not answer; what it said is in the log.
pub(crate) fn out_of_order() -> Page {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "")
}
