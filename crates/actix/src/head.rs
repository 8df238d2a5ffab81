//! [`Head`]: the extractor of what delivery may see.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use http::{HeaderMap, HeaderValue, Method};
use secure_download_core::RequestHead;

/// Extracts the [`RequestHead`] of a request. Never rejects.
///
/// ```
/// use actix_web::web::{Data, Path};
/// use secure_download_actix::{Delivered, Head};
/// use secure_download_core::{Download, Gate};
///
/// # struct User;
/// # impl actix_web::FromRequest for User {
/// #     type Error = actix_web::Error;
/// #     type Future = std::future::Ready<Result<Self, Self::Error>>;
/// #     fn from_request(_: &actix_web::HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
/// #         std::future::ready(Ok(User))
/// #     }
/// # }
/// async fn file(
///     gate: Data<Gate<User, Download>>,
///     user: User,
///     id: Path<String>,
///     head: Head,
/// ) -> Delivered {
///     gate.serve(&user, &id, &head).await.into()
/// }
/// # let _ = actix_web::web::get().to(file);
/// ```
#[derive(Debug, Clone)]
pub struct Head(pub RequestHead);

impl Deref for Head {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.0
    }
}

impl FromRequest for Head {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // actix is on an older version of the `http` crate: only what delivery may see is copied.
        let mut headers = HeaderMap::new();
        for name in RequestHead::VISIBLE {
            for line in request.headers().get_all(name.as_str()) {
                if let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) {
                    headers.append(&name, value);
                }
            }
        }
        // Both versions hold a method to the same characters. Should that change, an unreadable one is refused.
        let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::OPTIONS);
        ready(Ok(Self(RequestHead::new(&method, &headers))))
    }
}
