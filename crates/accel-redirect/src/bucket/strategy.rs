//! [`MaskedBucket`]: signs a URL that only the proxy sees.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, Response};
use secure_download_core::{
    AUDIT_ID, Body, Delivery, DeliveryError, DeliveryStrategy, Grant, RequestHead, SignError, UrlSigner,
};

use crate::dialect::{STORE_PATH, STORE_QUERY, X_ACCEL_REDIRECT};
use crate::{BucketUpstream, BucketUpstreamError, Dialect, Guard, ProxySecret};

const NAME: &str = "masked-bucket";

/// How long a URL lives: the proxy uses it at once, and again only if a connection to the bucket fails.
const LIFETIME: Duration = Duration::from_secs(30);

/// What a client is told to wait when there is no credential to sign with.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The longest path and the longest query that are handed to the proxy, in bytes.
const LONGEST_PATH: usize = 4000;
const LONGEST_QUERY: usize = 8000;

/// Answers with headers and no body; the proxy fetches the file from a private bucket and passes it on.
///
/// The application signs a URL for the granted file, and tells the proxy its path and query in headers that never reach
/// the client. The client sees neither a redirect nor the bucket's name, and sends the bucket nothing but `Range` and
/// conditions, which the bucket answers with its own entity tag and date.
///
/// A download is declined, with a reason for the log, if
///
/// - the request does not carry the [`ProxySecret`], exactly once: it did not come through the proxy,
/// - the signer cannot carry its key or a header of the plan, or signs for another server than the [`BucketUpstream`],
/// - its rate is limited and the proxy is Caddy, which cannot limit it,
/// - its terms leave less than one second.
///
/// A grant with a limited number of uses is delivered: nobody but the proxy can use the URL again. To stream out of the
/// bucket what is declined, put a strategy behind this one with [`FirstOf`](secure_download_core::FirstOf).
///
/// ```
/// use secure_download_accel_redirect::{BucketUpstream, Dialect, MaskedBucket, ProxySecret};
/// # fn app(
/// #     signer: impl secure_download_core::UrlSigner + 'static,
/// #     secret: ProxySecret,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let upstream = BucketUpstream::new("/_bucket", "https://scans.s3.eu-central-1.amazonaws.com")?;
/// let strategy = MaskedBucket::new(Dialect::Caddy, upstream, signer, secret)?;
/// # let _ = strategy;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MaskedBucket {
    shared: Arc<Shared>,
    tells_audit_id: bool,
}

struct Shared {
    dialect: Dialect,
    upstream: BucketUpstream,
    location: HeaderValue,
    signer: Arc<dyn UrlSigner>,
    secret: ProxySecret,
}

impl MaskedBucket {
    /// Hands files of `upstream` off to the proxy that speaks `dialect` and adds `secret` to each request;
    /// [`ProxyConfig::for_bucket`](crate::ProxyConfig::for_bucket) renders its configuration. `signer` signs for that same
    /// server.
    ///
    /// # Errors
    /// [`BucketUpstreamError::Dialect`] for Apache and lighttpd.
    pub fn new(
        dialect: Dialect,
        upstream: BucketUpstream,
        signer: impl UrlSigner + 'static,
        secret: ProxySecret,
    ) -> Result<Self, BucketUpstreamError> {
        if !matches!(dialect, Dialect::Nginx | Dialect::Caddy) {
            return Err(BucketUpstreamError::Dialect);
        }
        let mut location =
            HeaderValue::from_str(upstream.location()).map_err(|_| BucketUpstreamError::Origin)?;
        location.set_sensitive(true);
        let shared = Shared { dialect, upstream, location, signer: Arc::new(signer), secret };
        Ok(Self { shared: Arc::new(shared), tells_audit_id: false })
    }

    /// Tells the proxy the audit id of each hand-off, as [`AccelRedirect::tell_audit_id`](crate::AccelRedirect::tell_audit_id)
    /// does.
    #[must_use]
    pub fn tell_audit_id(mut self) -> Self {
        self.tells_audit_id = true;
        self
    }

    /// Keeps requests out of the internal location, and hand-offs on answers that are not 200.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard::of([self.shared.upstream.location()])
    }

    /// The bucket's server.
    #[must_use]
    pub fn upstream(&self) -> &BucketUpstream {
        &self.shared.upstream
    }

    #[cfg(feature = "doctor")]
    pub(crate) fn dialect(&self) -> Dialect {
        self.shared.dialect
    }

    #[cfg(feature = "doctor")]
    pub(crate) fn signer(&self) -> Arc<dyn UrlSigner> {
        Arc::clone(&self.shared.signer)
    }

    /// The same hand-off of what another signer signs.
    #[cfg(feature = "doctor")]
    pub(crate) fn with_signer(&self, signer: impl UrlSigner + 'static) -> Self {
        let shared = Shared {
            dialect: self.shared.dialect,
            upstream: self.shared.upstream.clone(),
            location: self.shared.location.clone(),
            signer: Arc::new(signer),
            secret: self.shared.secret.clone(),
        };
        Self { shared: Arc::new(shared), tells_audit_id: self.tells_audit_id }
    }

    #[cfg(feature = "doctor")]
    pub(crate) fn is_proven_by(&self, head: &RequestHead) -> bool {
        self.shared.secret.is_proven_by(head)
    }
}

impl Shared {
    /// Path and query of a signed URL, ready to be told to the proxy, or why not.
    fn target(&self, url: &str) -> Result<(HeaderValue, HeaderValue), &'static str> {
        let target = url
            .strip_prefix(self.upstream.origin())
            .filter(|target| target.starts_with('/'))
            .ok_or("the signer signs for another server than the proxy fetches from")?;
        let (path, query) = target.split_once('?').ok_or("the signed URL has no query")?;
        if path.len() > LONGEST_PATH || query.len() > LONGEST_QUERY {
            return Err("the signed URL is longer than the proxy takes");
        }
        // Proxies take dot segments and empty ones in front out of a path, and with that the signature.
        let dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
        if path.starts_with("//") || dots || !path.bytes().all(is_plain) || !query.bytes().all(is_plain) {
            return Err("the signed URL would not pass the proxy unchanged");
        }
        let sensitive = |text: &str| -> Result<HeaderValue, &'static str> {
            let mut value = HeaderValue::from_str(text).map_err(|_| "the signed URL is no header value")?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok((sensitive(path)?, sensitive(query)?))
    }

    /// The transfer rate as the proxy is told it, or why it cannot be kept.
    fn limit_rate(&self, grant: &Grant, headers: &mut HeaderMap) -> Result<(), &'static str> {
        match (grant.terms().rate_limit(), &self.dialect.rules().rate) {
            (None, _) => {}
            (Some(rate), Some(header)) => {
                let mut value = HeaderValue::from(rate.get());
                value.set_sensitive(true);
                headers.insert(header.clone(), value);
            }
            (Some(_), None) => return Err("this proxy cannot limit the rate"),
        }
        Ok(())
    }

    /// The answer but for the bucket's target, and how long that may live.
    fn prepare(&self, grant: &Grant, head: &RequestHead) -> Result<(Response<Body>, Duration), &'static str> {
        if !self.secret.is_proven_by(head) {
            return Err("the request did not come through the proxy");
        }
        let lifetime = grant.terms().expiry().map_or(LIFETIME, |longest| longest.min(LIFETIME));
        let lifetime = Duration::from_secs(lifetime.as_secs());
        if lifetime.is_zero() {
            return Err("the terms leave less than a second");
        }
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.clone_from(grant.plan().headers());
        self.limit_rate(grant, headers)?;
        headers.insert(X_ACCEL_REDIRECT, self.location.clone());
        Ok((response, lifetime))
    }
}

/// What may stand in a target beside the first `?`: RFC 3986's unreserved characters, delimiters and `%`.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte)
}

#[async_trait]
impl DeliveryStrategy for MaskedBucket {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let shared = &*self.shared;
        let (mut response, lifetime) = match shared.prepare(&grant, head) {
            Ok(prepared) => prepared,
            Err(reason) => return Err(grant.decline(NAME, reason)),
        };
        // The proxies pass HEAD on as HEAD, and anything else as GET.
        let method = if *head.method() == Method::HEAD { Method::HEAD } else { Method::GET };
        let signed = match shared.signer.sign(&grant, &method, lifetime, SystemTime::now()).await {
            Ok(signed) => signed,
            Err(SignError::Inexpressible(reason)) => return Err(grant.decline(NAME, reason)),
            Err(SignError::Failed(source)) => {
                return Err(DeliveryError::Unavailable { retry_after: Some(RETRY_AFTER), source });
            }
            Err(error) => return Err(DeliveryError::Internal(error.into())),
        };
        let (path, query) = match shared.target(signed.expose()) {
            Ok(target) => target,
            Err(reason) => return Err(grant.decline(NAME, reason)),
        };
        let headers = response.headers_mut();
        headers.insert(STORE_PATH, path);
        headers.insert(STORE_QUERY, query);
        if self.tells_audit_id
            && let Ok(id) = HeaderValue::try_from(grant.audit_id().to_string())
        {
            headers.insert(AUDIT_ID, id);
        }
        response.extensions_mut().insert(Delivery::HandedOff);
        Ok(response)
    }
}

impl fmt::Debug for MaskedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskedBucket")
            .field("dialect", &self.shared.dialect)
            .field("upstream", &self.shared.upstream)
            .field("signer", &self.shared.signer.name())
            .finish_non_exhaustive()
    }
}
