//! [`Redeemed`]: what a client gets for its click.

use std::fmt;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderValue, Response, StatusCode};
use secure_download_core::Body;

use crate::claims::LinkClaims;

/// The cookie that holds the lease, over plain HTTP.
pub(crate) const COOKIE_NAME: &str = "secure-download-lease";
/// The same over HTTPS. Browsers take a cookie of such a name from HTTPS alone (RFC 6265bis section 4.1.3.1).
pub(crate) const SECURE_COOKIE_NAME: &str = "__Secure-secure-download-lease";

/// A redeemed link: the client that gets this answer, and no other, may download until the lease ends.
pub struct Redeemed {
    claims: LinkClaims,
    lease: String,
    lasts: u64,
}

impl Redeemed {
    pub(crate) fn new(claims: LinkClaims, lease: String, lasts: u64) -> Self {
        Self { claims, lease, lasts }
    }

    /// What the link says.
    #[must_use]
    pub fn claims(&self) -> &LinkClaims {
        &self.claims
    }

    /// The answer to the POST: 303 (RFC 9110 section 15.4.4) to `download`, the path that delivers, with the lease in an
    /// `HttpOnly` cookie for that path alone.
    ///
    /// `download` is a path of this site, such as `/d/{token}/file`; one that a header or a cookie cannot carry (`;`, a
    /// control character, anything but ASCII), or that browsers may take for another site's (`//`, `\`), makes a 500. It is the
    /// path that the browser sees: behind a proxy that strips a prefix, the prefix belongs to it.
    ///
    /// Set `secure` wherever browsers come by HTTPS. The cookie is then `Secure` and its name begins with `__Secure-`, so
    /// that no page over plain HTTP can plant one.
    #[must_use]
    pub fn into_response(self, download: &str, secure: bool) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let (name, secure) = if secure { (SECURE_COOKIE_NAME, "; Secure") } else { (COOKIE_NAME, "") };
        let cookie = format!(
            "{name}={}; Path={download}; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
            self.lease, self.lasts
        );
        let fits = download.starts_with('/')
            && !download.starts_with("//")
            && download.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b';' | b'\\'));
        let (Ok(mut location), Ok(mut cookie), true) =
            (HeaderValue::try_from(download), HeaderValue::try_from(cookie), fits)
        else {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return response;
        };
        location.set_sensitive(true);
        cookie.set_sensitive(true);
        headers.insert(LOCATION, location);
        headers.insert(SET_COOKIE, cookie);
        *response.status_mut() = StatusCode::SEE_OTHER;
        response
    }
}

impl fmt::Debug for Redeemed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redeemed").field("claims", &self.claims).finish_non_exhaustive()
    }
}
