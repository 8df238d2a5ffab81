//! [`Head`] and [`Fields`]: extractors that translate. actix is on an older version of the `http` crate than the library.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method};
use secure_download_core::{Patience, RequestHead};

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
        // Only what delivery may see is copied.
        let mut headers = HeaderMap::new();
        for name in RequestHead::VISIBLE {
            for line in request.headers().get_all(name.as_str()) {
                append(&mut headers, name.clone(), line);
            }
        }
        // Both versions hold a method to the same characters. Should that change, an unreadable one is refused.
        let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::OPTIONS);
        // Known behind the library's own server.
        let patience = request.conn_data::<Patience>().copied().unwrap_or_default();
        ready(Ok(Self(RequestHead::new(&method, &headers).with_patience(patience))))
    }
}

/// Extracts every header of a request, for what takes more than a [`Head`]: the bearer of a link, say. Never rejects.
///
/// ```
/// use actix_web::web::{Data, Path};
/// use secure_download_actix::{Delivered, Fields, Head};
/// # struct Links;
/// # impl Links { fn bearer(&self, _: &str, _: &http::HeaderMap) -> Option<()> { None } }
/// # use secure_download_core::{Download, Gate};
///
/// async fn leased(
///     links: Data<Links>,
///     gate: Data<Gate<Option<()>, Download>>,
///     token: Path<String>,
///     fields: Fields,
///     head: Head,
/// ) -> Delivered {
///     let bearer = links.bearer(&token, &fields);
///     gate.serve(&bearer, "some-id", &head).await.into()
/// }
/// # let _ = actix_web::web::get().to(leased);
/// ```
#[derive(Debug, Clone)]
pub struct Fields(pub HeaderMap);

impl Deref for Fields {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        &self.0
    }
}

impl FromRequest for Fields {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut headers = HeaderMap::with_capacity(request.headers().len());
        for (name, line) in request.headers() {
            if let Ok(name) = HeaderName::from_bytes(name.as_str().as_bytes()) {
                append(&mut headers, name, line);
            }
        }
        ready(Ok(Self(headers)))
    }
}

/// Both versions hold a value to the same characters.
fn append(headers: &mut HeaderMap, name: HeaderName, line: &actix_web::http::header::HeaderValue) {
    if let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) {
        headers.append(name, value);
    }
}
