//! Building a [`Gate`]: what must be named, and what may be.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use super::{Gate, Inner, Label};
use crate::refusal::{RefusalPages, plain_page};
use crate::usage::UsageLimit;
use crate::{
    Authorizer, Catalog, Concurrency, ContentPolicy, DeliveryStrategy, Masking, Observer, Record, RefusalPage,
};

/// A part of a gate that is not named yet.
#[derive(Debug, Clone, Copy)]
pub struct Missing;

/// A part of a gate that is named.
pub struct Ready<T: ?Sized>(Arc<T>);

impl<T: ?Sized> fmt::Debug for Ready<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready")
    }
}

/// A gate in the making, from [`Gate::builder`]. `build` exists once an authorizer and a strategy are named.
///
/// ```compile_fail,E0599
/// # use secure_download_core::{Download, Gate};
/// let catalog = std::collections::HashMap::<String, Download>::new();
/// let gate = Gate::builder(catalog).build();
/// ```
pub struct GateBuilder<R, A = Missing, D = Missing> {
    catalog: Arc<dyn Catalog<Record = R>>,
    authorizer: A,
    strategy: D,
    masking: Masking,
    policy: ContentPolicy,
    challenge: HeaderValue,
    renderer: Box<dyn Fn(StatusCode) -> RefusalPage>,
    observer: Option<Arc<dyn Observer>>,
}

impl<R: Record> GateBuilder<R> {
    pub(super) fn new(catalog: Arc<dyn Catalog<Record = R>>) -> Self {
        Self {
            catalog,
            authorizer: Missing,
            strategy: Missing,
            masking: Masking::default(),
            policy: ContentPolicy::new(),
            challenge: HeaderValue::from_static("Session realm=\"downloads\""),
            renderer: Box::new(plain_page),
            observer: None,
        }
    }
}

impl<R: Record, D> GateBuilder<R, Missing, D> {
    /// Who may download what. Names the subject type too.
    pub fn authorizer<S, A>(self, authorizer: A) -> GateBuilder<R, Authorized<S, R>, D>
    where
        S: ?Sized,
        A: Authorizer<S, R> + 'static,
    {
        self.with_authorizer(Authorized {
            authorizer: Arc::new(authorizer),
            subject_label: None,
            concurrency: None,
            usage_limit: None,
        })
    }
}

/// The parts of a gate that know the subject.
pub struct Authorized<S: ?Sized, R> {
    authorizer: Arc<dyn Authorizer<S, R>>,
    subject_label: Option<Label<S>>,
    concurrency: Option<Concurrency<S>>,
    usage_limit: Option<Arc<dyn UsageLimit<S, R>>>,
}

impl<S: ?Sized, R> fmt::Debug for Authorized<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}

impl<R, A> GateBuilder<R, A, Missing> {
    /// How granted files are delivered.
    pub fn strategy(
        self,
        strategy: impl DeliveryStrategy + 'static,
    ) -> GateBuilder<R, A, Ready<dyn DeliveryStrategy>> {
        GateBuilder {
            strategy: Ready(Arc::new(strategy)),
            catalog: self.catalog,
            authorizer: self.authorizer,
            masking: self.masking,
            policy: self.policy,
            challenge: self.challenge,
            renderer: self.renderer,
            observer: self.observer,
        }
    }
}

impl<R, A, D> GateBuilder<R, A, D> {
    fn with_authorizer<B>(self, authorizer: B) -> GateBuilder<R, B, D> {
        GateBuilder {
            authorizer,
            catalog: self.catalog,
            strategy: self.strategy,
            masking: self.masking,
            policy: self.policy,
            challenge: self.challenge,
            renderer: self.renderer,
            observer: self.observer,
        }
    }

    /// Whether a denial shows as 404 (the default) or as 403.
    #[must_use]
    pub fn masking(mut self, masking: Masking) -> Self {
        self.masking = masking;
        self
    }

    /// What a browser may do with the content.
    #[must_use]
    pub fn content_policy(mut self, policy: ContentPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// `WWW-Authenticate` of a 401 (RFC 9110 section 11.6.1); `Session realm="downloads"` by default, which no
    /// browser answers with a prompt.
    #[must_use]
    pub fn challenge(mut self, challenge: HeaderValue) -> Self {
        self.challenge = challenge;
        self
    }

    /// The app's own pages for 401, 403, 404, 405, 500, 502 and 503. Called once for each when the gate is built.
    #[must_use]
    pub fn refusals(mut self, renderer: impl Fn(StatusCode) -> RefusalPage + 'static) -> Self {
        self.renderer = Box::new(renderer);
        self
    }

    /// Who is told what happened.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl<S: ?Sized, R, D> GateBuilder<R, Authorized<S, R>, D> {
    /// What events call a subject, such as a user's id.
    #[must_use]
    pub fn subject_label(mut self, label: impl Fn(&S) -> Cow<'_, str> + Send + Sync + 'static) -> Self {
        self.authorizer.subject_label = Some(Box::new(label));
        self
    }

    /// How many downloads may run at once; no limit by default.
    #[must_use]
    pub fn concurrency(mut self, caps: Concurrency<S>) -> Self {
        self.authorizer.concurrency = Some(caps);
        self
    }

    /// How often a record may be downloaded; no limit by default.
    #[must_use]
    pub fn usage_limit(mut self, limit: impl UsageLimit<S, R> + 'static) -> Self {
        self.authorizer.usage_limit = Some(Arc::new(limit));
        self
    }
}

impl<S: ?Sized, R> GateBuilder<R, Authorized<S, R>, Ready<dyn DeliveryStrategy>> {
    /// The gate.
    #[must_use]
    pub fn build(self) -> Gate<S, R> {
        let pages = RefusalPages::render(&self.renderer, &self.challenge, &self.policy);
        Gate {
            inner: Arc::new(Inner {
                catalog: self.catalog,
                authorizer: self.authorizer.authorizer,
                strategy: self.strategy.0,
                masking: self.masking,
                policy: self.policy,
                pages: Arc::new(pages),
                observer: self.observer,
                subject_label: self.authorizer.subject_label,
                concurrency: self.authorizer.concurrency,
                usage_limit: self.authorizer.usage_limit,
            }),
        }
    }
}

impl<R, A, D> fmt::Debug for GateBuilder<R, A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateBuilder")
            .field("masking", &self.masking)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
