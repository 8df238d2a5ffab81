//! Fields that a strategy adds to the plan.

use http::HeaderName;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, CONTENT_ENCODING, LINK,
    LOCATION, REFRESH, SERVER, SET_COOKIE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::Kind;
use super::samples::PLAIN;
use crate::site::Answer;

/// What the site decides, the framework, or nobody: a strategy says nothing of it.
const NEVER: [HeaderName; 11] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    CONNECTION,
    CONTENT_ENCODING,
    LINK,
    REFRESH,
    SERVER,
    SET_COOKIE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// How the fields begin that make a proxy send another file, or in another way.
const FOR_PROXIES: [&str; 5] = ["x-accel-", "x-sendfile", "x-lighttpd-send-", "x-store-", "x-reproxy-"];

/// A field of an answer that should not be there.
pub(super) fn needless(kind: Kind, answer: &Answer) -> Option<HeaderName> {
    let is_needless = |name: &HeaderName| {
        let for_proxies = FOR_PROXIES.iter().any(|start| name.as_str().starts_with(start));
        NEVER.contains(name)
            || *name == "surrogate-control"
            || *name == "surrogate-key"
            || *name == LOCATION && kind != Kind::Redirects
            || for_proxies && (kind != Kind::HandsOff || answer.delivery.is_none())
    };
    let mut extra = answer.extra();
    let found = extra.find(|(name, value)| {
        let names_the_file =
            !value.is_sensitive() && String::from_utf8_lossy(value.as_bytes()).contains(PLAIN);
        is_needless(name) || names_the_file
    });
    found.map(|(name, _)| name.clone())
}
