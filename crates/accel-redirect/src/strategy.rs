//! [`AccelRedirect`]: tells a reverse proxy which file to send.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use http::Response;
use http::header::{ETAG, HeaderName, HeaderValue};
use secure_download_core::{
    AUDIT_ID, Body, Delivery, DeliveryError, DeliveryStrategy, Download, Grant, Representation, RequestHead,
};

use crate::escape::push_escaped;
use crate::{Dialect, Guard, Mapping, ProxySecret};

const NAME: &str = "accel-redirect";

/// Answers with headers and no body; the reverse proxy that the application is behind sends the file.
///
/// The answer is always 200 with every header of the [`ResponsePlan`](secure_download_core::ResponsePlan), the name of
/// the file in a header that the proxy takes away, and nothing that describes bytes: ranges, lengths and conditions are the
/// proxy's work. Where clients are given the application's own entity tag (Apache, lighttpd) and the
/// [`Download`] knows one, the tag goes along and `If-Match` and `If-None-Match` are answered here.
///
/// A download is declined, with a reason for the log, if
///
/// - the request does not carry the [`ProxySecret`], exactly once: it did not come through the proxy,
/// - no root of the [`Mapping`] holds it,
/// - it pins a version, for folders have none,
/// - its rate is limited and the proxy cannot limit it (all but nginx),
/// - its escaped path is longer than the proxy takes.
///
/// So that such a download is streamed, put a strategy behind this one with
/// [`FirstOf`](secure_download_core::FirstOf); alone, a declined download is answered with 502, never with an
/// empty file.
///
/// ```
/// use secure_download_accel_redirect::{AccelRedirect, Dialect, Mapping, ProxySecret, Root};
///
/// # let from_environment = "0123456789abcdef".repeat(4);
/// let mapping = Mapping::new([Root::new("/_protected/media", "/srv/media")?])?;
/// let accel = AccelRedirect::new(Dialect::Nginx, mapping, ProxySecret::new(from_environment)?).tell_audit_id();
/// let guard = accel.guard(); // the outermost layer of the application
/// # let _ = guard;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AccelRedirect {
    shared: Arc<Shared>,
    tells_audit_id: bool,
}

#[derive(Debug)]
struct Shared {
    dialect: Dialect,
    mapping: Mapping,
    secret: ProxySecret,
    /// For each root its escaped name and a `/`.
    roots: Vec<String>,
}

impl AccelRedirect {
    /// Hands files off to the proxy that speaks `dialect`, is configured for `mapping` and adds `secret` to each
    /// request; [`ProxyConfig`](crate::ProxyConfig) renders that configuration from the same three.
    #[must_use]
    pub fn new(dialect: Dialect, mapping: Mapping, secret: ProxySecret) -> Self {
        let names = dialect.rules().names;
        let roots = mapping.roots().iter().map(|root| {
            let mut name = String::new();
            push_escaped(&mut name, names(root));
            name.push('/');
            name
        });
        let roots = roots.collect();
        let shared = Arc::new(Shared { dialect, mapping, secret, roots });
        Self { shared, tells_audit_id: false }
    }

    /// Tells the proxy the audit id of each hand-off in the header [`AUDIT_ID`], so that its log can be joined with the
    /// application's: nginx logs it as `$upstream_http_x_secure_download_audit_id`, Caddy, Apache and lighttpd as a header of
    /// the response.
    ///
    /// The id opens nothing, and tells nobody how many requests there were. nginx does not pass it on; the others do unless
    /// their configuration removes it.
    #[must_use]
    pub fn tell_audit_id(mut self) -> Self {
        self.tells_audit_id = true;
        self
    }

    /// Keeps requests out of the internal locations, and hand-offs on answers that are not 200.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard::new(&self.shared.mapping)
    }

    /// The proxy.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.shared.dialect
    }

    #[cfg(feature = "doctor")]
    pub(crate) fn is_proven_by(&self, head: &RequestHead) -> bool {
        self.shared.secret.is_proven_by(head)
    }

    /// The folders.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.shared.mapping
    }
}

impl Shared {
    /// The value that names the file, or why there is none.
    fn target(&self, download: &Download) -> Result<HeaderValue, &'static str> {
        let (root, place) = self.mapping.find(download).ok_or("no root holds this volume and key")?;
        let root = &self.roots[root];
        let mut target = String::with_capacity(root.len() + 2 * place.path.len());
        target.push_str(root);
        if let Some(volume) = place.volume {
            push_escaped(&mut target, volume);
            target.push('/');
        }
        push_escaped(&mut target, place.path);
        if target.len() > self.dialect.rules().longest {
            return Err("the escaped path is longer than the proxy takes");
        }
        let mut target = HeaderValue::try_from(target).map_err(|_| "the path is no header value")?;
        target.set_sensitive(true);
        Ok(target)
    }

    /// The answer, or why this proxy cannot send the file.
    fn answer(&self, grant: &Grant, head: &RequestHead) -> Result<Answer, &'static str> {
        if !self.secret.is_proven_by(head) {
            return Err("the request did not come through the proxy");
        }
        let download = grant.download();
        if download.version_id().is_some() {
            return Err("a folder has no versions");
        }
        let rules = self.dialect.rules();
        let rate = match (grant.terms().rate_limit(), &rules.rate) {
            (None, _) => None,
            (Some(rate), Some(header)) => Some((header.clone(), HeaderValue::from(rate.get()))),
            (Some(_), None) => return Err("this proxy cannot limit the rate"),
        };
        let target = self.target(download)?;
        let etag = download.known_etag().filter(|_| rules.keeps_etag);
        if let Some(etag) = etag {
            // The date that clients see is the proxy's, so date conditions are left to it.
            let file = Representation { length: 0, etag: Some(etag.clone()), last_modified: None };
            if let Some(answer) = grant.plan().precondition(head, &file, SystemTime::now()) {
                return Ok(Answer::Complete(answer));
            }
        }
        let etag = etag.and_then(|etag| HeaderValue::try_from(etag.to_string()).ok());
        Ok(Answer::HandOff { target, rate, etag })
    }
}

/// What [`Shared::answer`] decided.
enum Answer {
    /// Nothing is to be sent.
    Complete(Response<Body>),
    /// The plan's headers and these.
    HandOff { target: HeaderValue, rate: Option<(HeaderName, HeaderValue)>, etag: Option<HeaderValue> },
}

#[async_trait]
impl DeliveryStrategy for AccelRedirect {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let (target, rate, etag) = match self.shared.answer(&grant, head) {
            Ok(Answer::HandOff { target, rate, etag }) => (target, rate, etag),
            Ok(Answer::Complete(response)) => return Ok(response),
            Err(reason) => return Err(grant.decline(NAME, reason)),
        };
        let audit_id = grant.audit_id();
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        *headers = grant.into_plan().into_headers();
        headers.insert(self.shared.dialect.rules().header.clone(), target);
        if let Some((header, mut rate)) = rate {
            rate.set_sensitive(true);
            headers.insert(header, rate);
        }
        if let Some(etag) = etag {
            headers.insert(ETAG, etag);
        }
        if self.tells_audit_id
            && let Ok(id) = HeaderValue::try_from(audit_id.to_string())
        {
            headers.insert(AUDIT_ID, id);
        }
        response.extensions_mut().insert(Delivery::HandedOff);
        Ok(response)
    }
}
