//! [`Gate`]: the one way from a request to a file.

mod builder;
mod serve;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use http::Response;

pub use self::builder::GateBuilder;
use crate::refusal::RefusalPages;
use crate::usage::UsageLimit;
use crate::{
    Authorizer, Body, Catalog, Concurrency, ContentPolicy, DeliveryStrategy, Masking, Observer, Record,
    Refusal, RequestHead, Terms,
};

/// Authenticates, authorises and delivers. `S` is the app's own subject, `R` its own record.
///
/// Refusals are the same in status, fields and bytes, not in time: an authorizer that asks a database takes longer about
/// a record that exists. Where ids can be guessed and that matters, look up row and permission in one query.
///
/// Cheap to clone, and of one type whatever catalog, authorizer and strategy it was built from, so that it can be named
/// in an application's state.
///
/// ```
/// use http::{HeaderMap, Method};
/// use secure_download_core::{Catalog, Decision, Download, FileKey, Gate, RequestHead, signed_in};
/// # use secure_download_core::{Body, DeliveryError, DeliveryStrategy, Grant};
/// # struct Stream;
/// # #[async_trait::async_trait]
/// # impl DeliveryStrategy for Stream {
/// #     fn name(&self) -> &'static str { "stream" }
/// #     async fn deliver(&self, _: Grant, _: &RequestHead) -> Result<http::Response<Body>, DeliveryError> {
/// #         Ok(http::Response::new(Body::full("bytes")))
/// #     }
/// # }
///
/// struct User { admin: bool }
///
/// # futures::executor::block_on(async {
/// let catalog = std::collections::HashMap::from([("7".to_owned(), Download::new(FileKey::parse("a/b.png")?))]);
/// let gate = Gate::builder(catalog)
///     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.admin)))
///     .strategy(Stream)
///     .build();
///
/// let head = RequestHead::new(&Method::GET, &HeaderMap::new());
/// assert_eq!(gate.serve(&Some(User { admin: true }), "7", &head).await.status(), 200);
/// assert_eq!(gate.serve(&Some(User { admin: false }), "7", &head).await.status(), 404);
/// assert_eq!(gate.serve(&None, "7", &head).await.status(), 401);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Gate<S: ?Sized, R> {
    inner: Arc<Inner<S, R>>,
}

type Label<S> = Box<dyn Fn(&S) -> Cow<'_, str> + Send + Sync>;

struct Inner<S: ?Sized, R> {
    catalog: Arc<dyn Catalog<Record = R>>,
    authorizer: Arc<dyn Authorizer<S, R>>,
    strategy: Arc<dyn DeliveryStrategy>,
    masking: Masking,
    policy: ContentPolicy,
    pages: Arc<RefusalPages>,
    observer: Option<Arc<dyn Observer>>,
    subject_label: Option<Label<S>>,
    concurrency: Option<Concurrency<S>>,
    usage_limit: Option<Arc<dyn UsageLimit<S, R>>>,
}

impl Gate<(), ()> {
    /// Starts a gate over the app's catalog. An authorizer and a strategy are still to be named; without
    /// them there is no `build`.
    #[must_use]
    pub fn builder<C: Catalog + 'static>(catalog: C) -> GateBuilder<C::Record> {
        GateBuilder::new(Arc::new(catalog))
    }
}

impl<S: Sync + ?Sized, R: Record> Gate<S, R> {
    /// Answers a request for the file named `id`. Refusals are answers too.
    pub async fn serve(&self, subject: &S, id: &str, head: &RequestHead) -> Response<Body> {
        self.request(subject, id).serve(head).await
    }

    /// As [`Gate::serve`], for apps that look up rows by keys of their own. `None` is refused exactly as an unknown id.
    pub async fn serve_record(&self, subject: &S, record: Option<&R>, head: &RequestHead) -> Response<Body> {
        self.request_record(subject, record).serve(head).await
    }

    /// As [`Gate::serve`], with refusals as a value.
    ///
    /// # Errors
    /// A [`Refusal`], of which the client may only see [`Refusal::into_response`].
    pub async fn try_serve(
        &self,
        subject: &S,
        id: &str,
        head: &RequestHead,
    ) -> Result<Response<Body>, Refusal> {
        self.request(subject, id).try_serve(head).await
    }

    /// Refuses a request whose route has another number of path parameters than it should: 500, and an event with
    /// [`Reason::Route`](crate::Reason::Route). For adapters.
    pub fn refuse_misrouted(
        &self,
        subject: &S,
        found: usize,
        expected: usize,
        head: &RequestHead,
    ) -> Response<Body> {
        serve::misrouted(&self.inner, subject, found, expected).into_response(head)
    }

    /// A request with terms of its own.
    ///
    /// ```
    /// # use secure_download_core::{Body, Download, Gate, RequestHead};
    /// # async fn handler(gate: Gate<u64, Download>, head: RequestHead) -> http::Response<Body> {
    /// gate.request(&42, "some-id").inline().serve(&head).await
    /// # }
    /// ```
    pub fn request<'a>(&'a self, subject: &'a S, id: &'a str) -> GateRequest<'a, S, R> {
        GateRequest { gate: self, subject, target: Target::Id(id), terms: Terms::new() }
    }

    /// As [`Gate::request`], for a row at hand.
    pub fn request_record<'a>(&'a self, subject: &'a S, record: Option<&'a R>) -> GateRequest<'a, S, R> {
        GateRequest { gate: self, subject, target: Target::Record(record), terms: Terms::new() }
    }
}

impl<S: ?Sized, R> Clone for Gate<S, R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S: ?Sized, R> fmt::Debug for Gate<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("strategy", &self.inner.strategy.name())
            .field("masking", &self.inner.masking)
            .field("concurrency", &self.inner.concurrency)
            .finish_non_exhaustive()
    }
}

/// One request on its way through the gate, with the terms it asks for. The stricter of these, the record's and
/// the authorizer's apply.
#[must_use = "a request does nothing until it is served"]
pub struct GateRequest<'a, S: ?Sized, R> {
    gate: &'a Gate<S, R>,
    subject: &'a S,
    target: Target<'a, R>,
    terms: Terms,
}

enum Target<'a, R> {
    Id(&'a str),
    Record(Option<&'a R>),
}

impl<S: Sync + ?Sized, R: Record> GateRequest<'_, S, R> {
    /// Asks to show the file instead of saving it; see [`Terms::inline`].
    pub fn inline(mut self) -> Self {
        self.terms = self.terms.inline();
        self
    }

    /// Limits the life of a signed URL; see [`Terms::expires`].
    pub fn expires(mut self, after: Duration) -> Self {
        self.terms = self.terms.stricter(Terms::new().expires(after));
        self
    }

    /// Limits the transfer rate; see [`Terms::rate`].
    pub fn rate(mut self, bytes_per_second: NonZeroU64) -> Self {
        self.terms = self.terms.stricter(Terms::new().rate(bytes_per_second));
        self
    }

    /// Answers the request. Refusals are answers too.
    pub async fn serve(self, head: &RequestHead) -> Response<Body> {
        match self.try_serve(head).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(head),
        }
    }

    /// Answers the request, with refusals as a value.
    ///
    /// # Errors
    /// A [`Refusal`], of which the client may only see [`Refusal::into_response`].
    pub async fn try_serve(self, head: &RequestHead) -> Result<Response<Body>, Refusal> {
        serve::try_serve(&self.gate.inner, self.subject, self.target, self.terms, head).await
    }
}

impl<S: ?Sized, R> fmt::Debug for GateRequest<'_, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateRequest").field("terms", &self.terms).finish_non_exhaustive()
    }
}
