//! [`Grant`]: proof that the gate allowed one download.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::error::Declined;
use crate::observe::tell;
use crate::{AuditId, CachePolicy, DeliveryError, Download, Event, Observer, ResponsePlan, Terms};

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
