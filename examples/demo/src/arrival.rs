//! How a request reached the site: by which name, from whose page, from which address.

use std::net::IpAddr;

use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

use crate::cross_site::{self, Address};
use crate::{Page, Site, host, refusal};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl Site {
    /// The page for a request that must not go on: one that another site made a browser send, or one to a name that the
    /// sample users must not be reached by. `authority` is the host in the request's target, as HTTP/2 has it.
    #[must_use]
    pub fn misdirected(&self, method: &Method, authority: Option<&str>, headers: &HeaderMap) -> Option<Page> {
        // A page of another site whose name leads to this machine knows the passwords, and is no other site for a browser.
        let is_own = |named: Option<&str>| named.is_some_and(host::is_loopback);
        if self.has_sample_users && !host::named(authority, headers).all(is_own) {
            return Some(refusal(
                StatusCode::MISDIRECTED_REQUEST,
                "Everybody knows the passwords of the sample users, so this site only answers as localhost. \
                 To reach it by another name, start it with users of your own: --user NAME:PASSWORD.",
            ));
        }
        if !cross_site::allows(method, headers, self.address(authority, headers)) {
            return Some(refusal(
                StatusCode::FORBIDDEN,
                "This request came from another site. If it came from this page, a proxy does not pass the Host header \
                 on: start the demo with --public-url and the address that the browser shows.",
            ));
        }
        None
    }

    /// What stands before the path in a link that people pass on: the public address, else the one by which this browser
    /// came.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.public_url {
            return url.to_string();
        }
        // A browser names the origin of its page, which this request was found to come from. Behind a TLS proxy only the
        // browser knows the scheme.
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        if let Some(origin) = origin.filter(|origin| self.address(None, headers).is_origin(origin)) {
            return origin.to_owned();
        }
        let scheme = if self.https { "https" } else { "http" };
        let host = host::named(None, headers).flatten().next();
        host.map_or_else(String::new, |host| format!("{scheme}://{host}"))
    }

    /// The client's address, as far as it is known. The demo's own proxy, on this machine, puts it at the end of
    /// `X-Forwarded-For`; what any other client writes there is not believed.
    pub(crate) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let is_own_proxy =
            self.agreement.is_some() && peer.is_some_and(|peer| peer.to_canonical().is_loopback());
        if !is_own_proxy {
            return peer;
        }
        let last = headers.get_all(X_FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse().ok()
    }

    fn address<'a>(&'a self, authority: Option<&'a str>, headers: &'a HeaderMap) -> Address<'a> {
        match &self.public_url {
            Some(url) => Address::Public(url),
            None => Address::Host(host::named(authority, headers).next().flatten()),
        }
    }
}
