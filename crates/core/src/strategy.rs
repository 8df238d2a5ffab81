//! [`DeliveryStrategy`]: turns a grant into a response.

use std::sync::Arc;

use async_trait::async_trait;
use http::Response;

use crate::{AuditId, Body, DeliveryError, Grant, RequestHead};

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

#[async_trait]
impl<D: DeliveryStrategy + ?Sized> DeliveryStrategy for Arc<D> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        (**self).deliver(grant, head).await
    }
}

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
