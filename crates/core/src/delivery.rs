//! [`DeliveryStrategy`]: turns a [`Grant`] into a response.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Response;

use crate::observe::tell;
use crate::{
    AuditId, Body, BoxError, CachePolicy, Download, Event, Observer, RequestHead, ResponsePlan, Terms,
};

/// Delivers granted files: streams them, hands them to a proxy, redirects to a signed URL, or does what a third
/// party thought of.
///
/// ```
/// use async_trait::async_trait;
/// use http::Response;
/// use secure_download_core::{Body, DeliveryError, DeliveryStrategy, Grant, Representation, RequestHead, Selection};
/// use std::time::SystemTime;
///
/// /// Delivers the same few bytes whatever the key.
/// struct Fixed(&'static str);
///
/// #[async_trait]
/// impl DeliveryStrategy for Fixed {
///     fn name(&self) -> &'static str {
///         "fixed"
///     }
///
///     async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
///         let length = self.0.len() as u64;
///         let file = Representation { length, etag: None, last_modified: None };
///         match grant.plan().select(head, &file, SystemTime::now()) {
///             Selection::Answered(response) => Ok(response),
///             Selection::Send(sending) => {
///                 let text = self.0;
///                 let body = Body::parts(sending.parts().clone(), move |range| {
///                     let piece = &text[range.start as usize..range.end as usize];
///                     futures::stream::iter([Ok(piece.into())])
///                 });
///                 Ok(sending.with_body(body))
///             }
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait DeliveryStrategy: Send + Sync {
    /// A short name for logs, such as `stream`.
    fn name(&self) -> &'static str;

    /// Turns the grant into the response. Headers, conditions and ranges come from [`Grant::plan`].
    ///
    /// A response that makes somebody else send the file carries [`Delivery`] in its extensions, for
    /// the gate to report.
    ///
    /// # Errors
    /// [`Grant::decline`] if this strategy does not serve this download; other errors as they are documented.
    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError>;
}

macro_rules! forward {
    ($($pointer:ident)*) => {$(
        #[async_trait]
        impl<D: DeliveryStrategy + ?Sized> DeliveryStrategy for $pointer<D> {
            fn name(&self) -> &'static str {
                (**self).name()
            }

            async fn deliver(
                &self,
                grant: Grant,
                head: &RequestHead,
            ) -> Result<Response<Body>, DeliveryError> {
                (**self).deliver(grant, head).await
            }
        }
    )*};
}
forward!(Arc Box);

/// A response extension by which a strategy says that it does not send the bytes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// A reverse proxy sends the file.
    HandedOff,
    /// The client is sent to a signed URL.
    Redirected,
}

/// A response extension on every granted answer: which strategy served it. It marks the response as a download, which
/// no layer may compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedBy {
    pub(crate) strategy: &'static str,
    pub(crate) audit_id: AuditId,
}

impl ServedBy {
    /// The strategy's name.
    #[must_use]
    pub fn strategy(&self) -> &'static str {
        self.strategy
    }

    /// The id that names the request in every event.
    #[must_use]
    pub fn audit_id(&self) -> AuditId {
        self.audit_id
    }
}

/// Proof that the gate allowed one download.
///
/// Only the gate makes one, it cannot be cloned, and delivery consumes it: to deliver without authorisation does not
/// compile.
///
/// ```compile_fail
/// # use secure_download_core::Grant;
/// fn twice(grant: Grant) -> (Grant, Grant) {
///     (grant.clone(), grant)
/// }
/// ```
pub struct Grant {
    download: Download,
    plan: ResponsePlan,
    terms: Terms,
    limited: bool,
    names_cache_policy: bool,
    audit_id: AuditId,
    observer: Option<Arc<dyn Observer>>,
}

impl Grant {
    pub(crate) fn new(
        download: Download,
        plan: ResponsePlan,
        terms: Terms,
        audit_id: AuditId,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        let names_cache_policy = download.known_cache_policy().is_some();
        Self { download, plan, terms, limited: false, names_cache_policy, audit_id, observer }
    }

    pub(crate) fn limit_uses(&mut self) {
        self.limited = true;
    }

    /// What was granted.
    #[must_use]
    pub fn download(&self) -> &Download {
        &self.download
    }

    /// The headers that the client must end up seeing.
    #[must_use]
    pub fn plan(&self) -> &ResponsePlan {
        &self.plan
    }

    /// As [`Grant::plan`], to build the answer from.
    #[must_use]
    pub fn into_plan(self) -> ResponsePlan {
        self.plan
    }

    /// Lets the client keep the file as `policy` says, unless the record names a policy itself. The last call counts.
    pub fn cache_by_default(&mut self, policy: CachePolicy) {
        if !self.names_cache_policy {
            self.plan.set_cache_policy(policy);
            self.download.set_cache_policy(policy);
        }
    }

    /// The terms of record, request and decision together.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Whether this grant spends one of a limited number of uses. It must not become a URL that can be replayed.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// The id that names this request in every event.
    #[must_use]
    pub fn audit_id(&self) -> AuditId {
        self.audit_id
    }

    /// Hands the grant back, so that the next strategy may try. `reason` goes to the observer, not to the client.
    #[must_use]
    pub fn decline(self, strategy: &'static str, reason: impl Into<Cow<'static, str>>) -> DeliveryError {
        let reason = reason.into();
        if let Some(observer) = &self.observer {
            let event = Event::Declined { audit_id: self.audit_id, strategy, reason: &reason };
            tell(|| observer.observe(&event));
        }
        DeliveryError::Declined(Box::new(Declined::new(self, reason)))
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("key", self.download.key())
            .field("audit_id", &self.audit_id)
            .finish_non_exhaustive()
    }
}

/// Why a strategy did not deliver. The client sees a status; the log sees this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// This strategy does not serve this download; the next one may, with the grant it gets back.
    #[error("declined: {}", .0.reason)]
    Declined(Box<Declined>),
    /// Storage has no such file. Shown as 404, as if the id were unknown.
    #[error("storage has no such file")]
    NotFound(#[source] BoxError),
    /// Storage cannot be reached or is overloaded. Shown as 503.
    #[error("storage is unavailable")]
    Unavailable {
        /// Sent as `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// Storage answered with something that makes no sense. Shown as 502.
    #[error("storage answered wrongly")]
    BadGateway(#[source] BoxError),
    /// Anything else. Shown as 500.
    #[error("delivery failed")]
    Internal(#[source] BoxError),
}

/// A grant that comes back unused, and why.
#[derive(Debug)]
pub struct Declined {
    grant: Grant,
    reason: Cow<'static, str>,
}

impl Declined {
    pub(crate) fn new(grant: Grant, reason: Cow<'static, str>) -> Self {
        Self { grant, reason }
    }

    /// Why the strategy declined; for logs, not for clients.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The grant, for the next strategy.
    #[must_use]
    pub fn into_grant(self) -> Grant {
        self.grant
    }
}
