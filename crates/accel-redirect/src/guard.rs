//! [`Guard`]: what the application does about the hand-off outside of deliveries.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use crate::dialect::HAND_OFF;
use crate::{Mapping, Root};

/// Two rules that an application behind a proxy keeps on every request and every answer.
///
/// - A request for an internal location is refused. It means that the proxy has no such location: nginx would send
///   the hand-off back to the application again and again.
/// - An answer that is not 200 carries no hand-off. nginx and Caddy would turn it into a 200 with the file, lighttpd
///   would send the file under any status. The strategy itself only answers with 200; this is about layers around it
///   that change the status of a finished answer.
///
/// As a layer of tower it also marks the proof of proxy as sensitive, for layers that log whole heads.
///
/// With the feature `tower` it is a layer, with the feature `actix` a middleware for `App::wrap`. Put it outermost, so that it
/// sees what leaves. The default one knows no location, and keeps the second rule only.
///
#[cfg_attr(feature = "tower", doc = "```")]
#[cfg_attr(not(feature = "tower"), doc = "```text")]
/// # use secure_download_accel_redirect::{AccelRedirect, Dialect, Mapping, ProxySecret, Root};
/// # use tower::ServiceBuilder;
/// # let mapping = Mapping::new([Root::new("/_protected", "/srv/media")?])?;
/// # let secret = ProxySecret::from_random(&[7; 32]);
/// let accel = AccelRedirect::new(Dialect::Nginx, mapping, secret);
/// // In axum: `router.layer(accel.guard())`, after every other layer.
/// let service = ServiceBuilder::new().layer(accel.guard());
/// # let _ = service;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Guard {
    locations: Arc<[Box<str>]>,
}

impl Guard {
    pub(crate) fn new(mapping: &Mapping) -> Self {
        Self::of(mapping.roots().iter().map(Root::location))
    }

    pub(crate) fn of<'a>(locations: impl IntoIterator<Item = &'a str>) -> Self {
        Self { locations: locations.into_iter().map(Box::from).collect() }
    }

    /// One guard for the locations of both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self { locations: self.locations.iter().chain(other.locations.iter()).cloned().collect() }
    }

    /// Whether a request for this path, as it stands in the request, is to be refused.
    #[must_use]
    pub fn refuses(&self, path: &str) -> bool {
        self.locations.iter().any(|location| {
            let mut path = percent_decode_str(path);
            let matches = location.bytes().all(|byte| path.next() == Some(byte));
            matches && matches!(path.next(), None | Some(b'/'))
        })
    }

    /// Takes the hand-off away from an answer that is not 200.
    pub fn clean(status: StatusCode, headers: &mut HeaderMap) {
        if status != StatusCode::OK {
            for name in HAND_OFF {
                headers.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn internal_locations_are_refused_however_they_are_written() {
        let root = Root::new("/_protected/media", "/srv").expect("a root");
        let guard = Guard::new(&Mapping::new([root]).expect("a mapping"));
        for path in
            ["/_protected/media", "/_protected/media/", "/_protected/media/a", "/%5fprotected/media%2Fa"]
        {
            assert!(guard.refuses(path), "{path}");
        }
        for path in ["/", "/_protected", "/_protected/", "/_protected/media2", "/x/_protected/media", ""] {
            assert!(!guard.refuses(path), "{path}");
        }
    }

    #[test]
    fn only_a_200_hands_off() {
        for (status, kept) in
            [(StatusCode::OK, true), (StatusCode::FORBIDDEN, false), (StatusCode::PARTIAL_CONTENT, false)]
        {
            let mut headers = HeaderMap::new();
            for name in HAND_OFF {
                headers.insert(name, HeaderValue::from_static("x"));
            }
            Guard::clean(status, &mut headers);
            assert_eq!(!headers.is_empty(), kept, "{status}");
        }
    }
}
