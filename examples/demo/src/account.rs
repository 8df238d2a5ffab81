//! Signing in and out.

use http::StatusCode;

use crate::pages;
use crate::store::User;
use crate::{Form, Page, Site, redirect, refusal};

/// What came of an attempt to sign in.
#[derive(Debug)]
pub enum SignIn {
    /// The session to put into the cookie, and the page to send with it.
    Welcome {
        /// Names the session; whoever knows it is signed in.
        session: String,
        /// Where to go on.
        page: Page,
    },
    /// The page to send.
    Refused(Page),
}

impl Site {
    /// Answers `GET /login`.
    #[must_use]
    pub fn login(&self) -> Page {
        pages::login(false, "")
    }

    /// Answers `POST /login`. `session` is the one that the browser had until now.
    pub async fn sign_in(&self, form: &Form, session: Option<&str>) -> SignIn {
        let (name, password) =
            (form.get("username").unwrap_or_default(), form.get("password").unwrap_or_default());
        let Ok(known) = self.store.user_named(name).await else { return SignIn::Refused(out_of_order()) };
        let (user, hash) = known.unzip();
        if !self.passwords.verify(password.to_owned(), hash).await {
            return SignIn::Refused(pages::login(true, name));
        }
        let Some(user) = user else { return SignIn::Refused(pages::login(true, name)) };
        if let Some(session) = session {
            // A session is one user's; the next one gets a fresh name.
            let _ = self.store.end_session(session).await;
        }
        match self.store.begin_session(user.id).await {
            Ok(session) => SignIn::Welcome { session, page: redirect("/") },
            Err(_) => SignIn::Refused(out_of_order()),
        }
    }

    /// Answers `POST /logout`. The application removes the cookie.
    pub async fn sign_out(&self, session: Option<&str>) -> Page {
        if let Some(session) = session
            && self.store.end_session(session).await.is_err()
        {
            return out_of_order();
        }
        redirect("/login")
    }

    /// Whose session it is; `None` is an anonymous visitor.
    ///
    /// # Errors
    /// The page to answer with if that cannot be told now. Nobody is taken for anonymous by mistake.
    pub async fn visitor(&self, session: Option<&str>) -> Result<Option<User>, Page> {
        match session {
            None => Ok(None),
            Some(session) => self.store.session_user(session).await.map_err(|_| out_of_order()),
        }
    }
}

/// The database does not answer; what it said is in the log.
pub(crate) fn out_of_order() -> Page {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "")
}
