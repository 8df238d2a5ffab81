//! Refusals: uniform answers that tell nothing but their status.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::plan::{CDN_CACHE_CONTROL, NO_STORE};
use crate::{Body, ContentPolicy, Reason, RequestHead};

/// Every status that a gate refuses with.
const STATUSES: [StatusCode; 7] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// What to tell a client that hit a cap or a failing store.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);

/// The app's own page for one refusal.
///
/// Rendered once for each status when the gate is built, so that it cannot depend on who asked for what.
///
/// ```
/// use secure_download_core::RefusalPage;
///
/// let page = RefusalPage::html("<!doctype html><title>Not found</title><p>There is no such file.");
/// # let _ = page;
/// ```
#[derive(Debug, Clone)]
pub struct RefusalPage {
    headers: HeaderMap,
    body: Bytes,
}

impl RefusalPage {
    /// A page in HTML, UTF-8.
    #[must_use]
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::new(HeaderValue::from_static("text/html; charset=utf-8"), page.into())
    }

    /// Plain text, UTF-8.
    #[must_use]
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::new(HeaderValue::from_static("text/plain; charset=utf-8"), text.into())
    }

    /// A JSON document, already serialised; RFC 9457's `application/problem+json`.
    #[must_use]
    pub fn problem_json(json: impl Into<Bytes>) -> Self {
        Self::new(HeaderValue::from_static("application/problem+json"), json.into())
    }

    fn new(content_type: HeaderValue, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type);
        Self { headers, body }
    }

    /// Adds a header, such as the page's own `Content-Security-Policy`. The gate's own headers win.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// All refusals of one gate, rendered when it is built.
pub(crate) struct RefusalPages {
    pages: Vec<(StatusCode, RefusalPage)>,
}

impl RefusalPages {
    pub(crate) fn render(
        renderer: &dyn Fn(StatusCode) -> RefusalPage,
        challenge: &HeaderValue,
        policy: &ContentPolicy,
    ) -> Self {
        let finish = |status: StatusCode| {
            let mut page = renderer(status);
            for (name, value) in policy.common_headers() {
                // Not `extend`, which would leave the page's own value beside the gate's.
                page.headers.insert(name, value);
            }
            page.headers.insert(CACHE_CONTROL, NO_STORE);
            page.headers.insert(CDN_CACHE_CONTROL, NO_STORE);
            page.headers.insert(CONTENT_LENGTH, HeaderValue::from(page.body.len()));
            if status == StatusCode::UNAUTHORIZED {
                page.headers.insert(WWW_AUTHENTICATE, challenge.clone());
            }
            if status == StatusCode::METHOD_NOT_ALLOWED {
                page.headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            (status, page)
        };
        Self { pages: STATUSES.into_iter().map(finish).collect() }
    }

    fn page(&self, status: StatusCode) -> Option<&RefusalPage> {
        self.pages.iter().find(|(known, _)| *known == status).map(|(_, page)| page)
    }
}

/// The gate's plain pages: the status and its reason phrase.
pub(crate) fn plain_page(status: StatusCode) -> RefusalPage {
    RefusalPage::text(format!("{status}\n"))
}

/// A refused request: what [`try_serve`](crate::Gate::try_serve) returns instead of a response.
///
/// [`Refusal::into_response`] is what the client may see, [`Refusal::reason`] what only the log may.
pub struct Refusal {
    status: StatusCode,
    retry_after: Option<Duration>,
    reason: Reason,
    pages: Arc<RefusalPages>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: Reason, pages: Arc<RefusalPages>) -> Self {
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_DEFAULT);
        Self { status, retry_after, reason, pages }
    }

    pub(crate) fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after.or(self.retry_after);
        self
    }

    /// What the client may know.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What only the log may know.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The gate's answer: the same bytes for every refusal of this status. A HEAD request gets no body.
    #[must_use]
    pub fn into_response(self, head: &RequestHead) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        if let Some(page) = self.pages.page(self.status) {
            response.headers_mut().clone_from(&page.headers);
            if *head.method() != Method::HEAD {
                *response.body_mut() = Body::full(page.body.clone());
            }
        }
        if let Some(after) = self.retry_after {
            // Rounded up: earlier than the store asked for would be too early.
            let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").field("status", &self.status).field("reason", &self.reason).finish()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.status)
    }
}

impl std::error::Error for Refusal {}
