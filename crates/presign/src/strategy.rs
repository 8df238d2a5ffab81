//! [`Presign`]: answers with a signed URL instead of the file.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use secure_download_core::{
    Body, CachePolicy, Delivery, DeliveryError, DeliveryStrategy, Grant, RequestHead, SignError, SignedUrl,
    UrlSigner,
};

use crate::accept::prefers_json;
use crate::conditional::not_modified;
use crate::json;
use crate::lifetime::{Lifetime, Lifetimes, Window};
use crate::timestamp::Timestamp;

const NAME: &str = "presign";

/// What a client is told to wait when there is no credential to sign with.
const RETRY_AFTER: Duration = Duration::from_secs(5);

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// Redirects granted clients to a URL that the store itself answers, for a short while.
///
/// - 302, and 303 should the method ever be another than GET and HEAD. A URL signed for GET is not good for HEAD, so
///   HEAD is signed as HEAD.
/// - `Cache-Control: private, no-store`: whoever keeps the redirect keeps the key to the file. [`Presign::stable_for`]
///   lets the client keep it.
/// - The end of a URL ends no running transfer, but browsers ask the URL itself again: for each seek of a player, for
///   pages of a document, for a reload and for the rest of a download that broke off. So its life depends on the file:
///
/// | file | life of its URL |
/// |---|---|
/// | an attachment of at most 1 MiB, or whose [`Download::length`](secure_download_core::Download::length) is not told | 5 seconds |
/// | a longer attachment | a minute, and a second for each 128 KiB; an hour at most |
/// | shown inline | an hour |
/// | spends one of a limited number of uses | 5 seconds |
/// | any, with [`Presign::expires`] | that |
/// | any, with an expiry in the terms of file, request or decision | that |
///
///   Never longer than [`Presign::max_expires`], than the credentials live, or than the protocol allows. Who must be
///   shut out sooner than that is sent the file by a strategy that asks again for each request.
/// - A client that holds the record's own entity tag or date gets 304. Any other condition, and `Range`, is the
///   store's to answer.
///
/// Declined, so that the next strategy may serve it, is a download
///
/// - that spends one of a limited number of uses: a signed URL can be used again until it expires,
/// - with a transfer rate, which the store would not keep,
/// - whose key or headers the store's URLs cannot carry,
/// - whose terms leave less than one second.
///
/// ```
/// # use async_trait::async_trait;
/// # use http::Method;
/// # use secure_download_core::{Grant, SignError, SignedUrl};
/// use secure_download_core::{Decision, Download, Gate, UrlSigner, signed_in};
/// use secure_download_presign::Presign;
/// use std::time::{Duration, SystemTime};
///
/// # struct User { admin: bool }
/// # fn app(signer: impl UrlSigner + 'static) {
/// # let catalog = std::collections::HashMap::<String, Download>::new();
/// let gate = Gate::builder(catalog)
///     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.admin)))
///     .strategy(Presign::new(signer).expires(Duration::from_secs(10)))
///     .build();
/// # let _ = gate;
/// # }
/// ```
#[derive(Clone)]
pub struct Presign {
    signer: Arc<dyn UrlSigner>,
    lifetimes: Lifetimes,
    json: bool,
    replay_limited: bool,
}

impl Presign {
    /// Redirects to what `signer` signs, for as long as the table above says.
    #[must_use]
    pub fn new(signer: impl UrlSigner + 'static) -> Self {
        Self { signer: Arc::new(signer), lifetimes: Lifetimes::default(), json: false, replay_limited: false }
    }

    /// How long a URL lives, in whole seconds, where the terms name no expiry: for every file, whatever its length.
    #[must_use]
    pub fn expires(mut self, after: Duration) -> Self {
        self.lifetimes.named = Some(after);
        self
    }

    /// How long a URL lives at most, whatever the terms say. Without it, terms reach five minutes, or as far as
    /// [`Presign::expires`] if that is longer.
    #[must_use]
    pub fn max_expires(mut self, after: Duration) -> Self {
        self.lifetimes.longest = Some(after);
        self
    }

    /// Gives a file the same URL for up to this time, in whole seconds, so that browsers keep thumbnails and players find
    /// the pieces that they have.
    ///
    /// - Time is cut into windows of this length. Within one, every process with the same key signs the same URL, byte for
    ///   byte. It lives for the rest of the window and then as long as a fresh one would.
    /// - Redirect and file carry `Cache-Control: private, max-age=N`: the redirect for the rest of the window, the file
    ///   for a whole one unless its [`CachePolicy`](secure_download_core::CachePolicy) names another time. So a client
    ///   that lost access goes on seeing the file for as long.
    /// - [`Presign::max_expires`] bounds the whole life of a URL; a window is half of it at most.
    /// - A URL is fresh and `no-store` where the terms name an expiry, where the grant spends one of a limited number of
    ///   uses, where the record's cache policy says `NoStore`, and where credentials end too soon.
    /// - A signer that takes no date, such as `StoreSigner`, gives a fresh URL each time, and so does one that tells an audit
    ///   id. HEAD has a URL of its own: a cache that answers HEAD with the redirect of a GET leads to one that is refused.
    #[must_use]
    pub fn stable_for(mut self, window: Duration) -> Self {
        self.lifetimes.stable_for = Some(window);
        self
    }

    /// Answers clients whose `Accept` names `application/json`, with no other type weighted higher, with 200 and
    /// `{"url": "...", "expires_at": "..."}` (RFC 3339, UTC). The crate documentation shows what the bucket needs.
    #[must_use]
    pub fn json(mut self) -> Self {
        self.json = true;
        self
    }

    /// Also signs for grants that spend one of a limited number of uses. Until such a URL expires, whoever holds it
    /// can download the file any number of times, for one use.
    #[must_use]
    pub fn allow_replay_of_limited_grants(mut self) -> Self {
        self.replay_limited = true;
        self
    }

    /// A URL, and until when the client may keep the way to it.
    async fn sign(
        &self,
        grant: &mut Grant,
        method: &Method,
        window: Option<&Window>,
        fresh: Lifetime,
    ) -> Result<(SignedUrl, Option<SystemTime>), SignError> {
        if let Some(Window { lifetime, end, .. }) = window {
            let signed = self.signer.sign(grant, method, lifetime.lasts, lifetime.from).await?;
            // Credentials may end it earlier.
            if signed.expires_at() >= *end {
                return Ok((signed, Some(*end)));
            }
            grant.cache_by_default(CachePolicy::NoStore);
        }
        Ok((self.signer.sign(grant, method, fresh.lasts, fresh.from).await?, None))
    }
}

#[async_trait]
impl DeliveryStrategy for Presign {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn deliver(&self, mut grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        if grant.is_limited() && !self.replay_limited {
            return Err(grant.decline(NAME, "a signed URL would not keep to the limited number of uses"));
        }
        if grant.terms().rate_limit().is_some() {
            return Err(grant.decline(NAME, "the store would not keep to the transfer rate"));
        }
        let now = SystemTime::now();
        let fresh = self.lifetimes.fresh(&grant, now);
        if fresh.lasts.is_zero() {
            return Err(grant.decline(NAME, "the terms leave less than a second"));
        }
        let window = self.lifetimes.window(&grant, now);
        if let Some(window) = &window {
            grant.cache_by_default(window.policy());
        }
        if let Some(response) = not_modified(&grant, head, now) {
            return Ok(response);
        }
        // What follows a 303 is a GET.
        let method = if *head.method() == Method::HEAD { Method::HEAD } else { Method::GET };
        let (signed, kept_until) = match self.sign(&mut grant, &method, window.as_ref(), fresh).await {
            Ok(signed) => signed,
            Err(SignError::Inexpressible(reason)) => return Err(grant.decline(NAME, reason)),
            Err(SignError::Failed(source)) => {
                return Err(DeliveryError::Unavailable { retry_after: Some(RETRY_AFTER), source });
            }
            Err(error) => return Err(DeliveryError::Internal(error.into())),
        };
        let mut response = if self.json && prefers_json(head) {
            as_json(&signed)
        } else {
            redirect(&signed, head.method()).ok_or_else(|| {
                DeliveryError::Internal("the signer made a URL that no header field can hold".into())
            })?
        };
        finish(response.headers_mut(), grant.plan().headers());
        if let Some(end) = kept_until {
            keep(response.headers_mut(), end.duration_since(now).unwrap_or_default());
        }
        if self.json {
            response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
        }
        response.extensions_mut().insert(Delivery::Redirected);
        Ok(response)
    }
}

fn redirect(signed: &SignedUrl, method: &Method) -> Option<Response<Body>> {
    let url = signed.expose();
    // Anything else is not a URI, RFC 3986 section 2; a browser would change it, and with it the signature.
    if url.is_empty() || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut location = HeaderValue::try_from(url).ok()?;
    location.set_sensitive(true);
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        if matches!(*method, Method::GET | Method::HEAD) { StatusCode::FOUND } else { StatusCode::SEE_OTHER };
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}

fn as_json(signed: &SignedUrl) -> Response<Body> {
    let mut text = String::with_capacity(signed.expose().len() + 64);
    text.push_str("{\"url\":");
    json::push_string(&mut text, signed.expose());
    if let Some(expires_at) = Timestamp::new(signed.expires_at()) {
        text.push_str(",\"expires_at\":");
        json::push_string(&mut text, &expires_at.rfc3339());
    }
    text.push('}');
    let mut response = Response::new(Body::full(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The headers of an answer that holds a key to the file.
fn finish(headers: &mut HeaderMap, plan: &HeaderMap) {
    for name in [X_CONTENT_TYPE_OPTIONS, CROSS_ORIGIN_RESOURCE_POLICY] {
        if let Some(value) = plan.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(CDN_CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Lets the client keep the answer, but for nobody else.
fn keep(headers: &mut HeaderMap, left: Duration) {
    if let Ok(value) = HeaderValue::try_from(format!("private, max-age={}", left.as_secs())) {
        headers.insert(CACHE_CONTROL, value);
        headers.insert(VARY, HeaderValue::from_static("Cookie, Authorization"));
    }
}

impl fmt::Debug for Presign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presign")
            .field("signer", &self.signer.name())
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
    }
}
