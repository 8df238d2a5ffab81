//! Assertions for applications: who gets what of whose file, asked over the application's own routes.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use secure_download_conformance::app::{File, Visitor};
//!
//! # futures::executor::block_on(async {
//! // Any application that can be called: a tower service, `actix_web::test::call_service`, an HTTP client.
//! let app = async |request: Request<Bytes>| -> Response<Bytes> {
//!     # let _ = request;
//!     # let mut response = Response::new(Bytes::from("Not found\n"));
//!     # *response.status_mut() = http::StatusCode::NOT_FOUND;
//!     # response.headers_mut().insert("cache-control", http::HeaderValue::from_static("no-store"));
//!     # response
//!     // app.clone().oneshot(request.map(Body::from)).await
//! };
//! let file = File::new("/files/1", b"the only copy of a letter", "/files/no-such-file");
//! let bob = Visitor::new("bob", &app).field("cookie", "session=bob");
//! bob.gets_no_byte_of(&file).await;
//! # });
//! ```

mod attempts;
mod granted;
mod refused;

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, HeaderName, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, Response};

use self::attempts::attempts;
use crate::law::{Verdict, ensure};

/// A file as the application names it.
#[derive(Clone)]
pub struct File {
    uri: String,
    content: Bytes,
    unknown: String,
}

impl File {
    /// The file under `uri`, path and query, with this content, beside `unknown`: a URI of the same form that names nothing.
    /// Whoever may not have the file must be answered as if it did not exist.
    ///
    /// Eight bytes of content are enough to find it again, more are better. An application that lets people know of files
    /// that they may not have names another such file as `unknown`.
    pub fn new(uri: impl Into<String>, content: impl AsRef<[u8]>, unknown: impl Into<String>) -> Self {
        Self { uri: uri.into(), content: Bytes::copy_from_slice(content.as_ref()), unknown: unknown.into() }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("uri", &self.uri)
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// Somebody who asks an application, with the cookies or credentials that say who.
pub struct Visitor<'a, F> {
    name: &'a str,
    app: &'a F,
    fields: HeaderMap,
}

impl<'a, F> Visitor<'a, F>
where
    F: AsyncFn(Request<Bytes>) -> Response<Bytes>,
{
    /// A visitor without any credential; `name` is for messages.
    #[must_use]
    pub fn new(name: &'a str, app: &'a F) -> Self {
        Self { name, app, fields: HeaderMap::new() }
    }

    /// A field of every request, such as the session's cookie.
    ///
    /// # Panics
    /// If it is no field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) else {
            panic!("no header field: {value:?}")
        };
        self.fields.append(name, value);
        self
    }

    /// This visitor is given the file: whole, by HEAD and by range, as a download that no shared cache keeps and no browser
    /// runs.
    ///
    /// # Panics
    /// If not, or if lengths, ranges or the fields that protect a download are not right in each of the three.
    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    pub async fn gets(&self, file: &File) {
        if let Err(seen) = self.try_gets(file).await {
            panic!("{} should get {}: {seen}", self.name, file.uri);
        }
    }

    /// This visitor gets no byte of the file and learns nothing of it, whatever the method and the fields of the request:
    /// HEAD, ranges, conditions, overridden methods, forged fields of proxies.
    ///
    /// # Panics
    /// If an answer is a success, holds a piece of the file or a field that describes one, may be kept by shared caches, or
    /// differs from the answer for what does not exist: in its status, any field, the body, or the names of its cookies. The
    /// URI itself may stand in a `Location`, to come back after signing in. Request ids, dates and the values of cookies
    /// differ anyway and are not compared, nor is the time that an answer takes.
    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    pub async fn gets_no_byte_of(&self, file: &File) {
        if let Err(seen) = self.try_gets_no_byte_of(file).await {
            panic!("{} must get nothing of {}: {seen}", self.name, file.uri);
        }
    }

    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    async fn try_gets(&self, file: &File) -> Verdict {
        let whole = self.ask(&Method::GET, &file.uri, &[]).await?;
        granted::whole(&whole, &file.content)?;
        let head = self.ask(&Method::HEAD, &file.uri, &[]).await?;
        granted::head(&head, &whole, file.content.len())?;
        if whole.headers().contains_key(ACCEPT_RANGES) && file.content.len() > 1 {
            let part = self.ask(&Method::GET, &file.uri, &[(RANGE, "bytes=1-")]).await?;
            granted::part(&part, &whole, &file.content)?;
        }
        Ok(())
    }

    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    async fn try_gets_no_byte_of(&self, file: &File) -> Verdict {
        for attempt in attempts() {
            let answer = self.ask(&attempt.method, &file.uri, &attempt.fields).await?;
            let seen = |what: &str| format!("{} {:?}: {what}", attempt.method, attempt.fields);
            refused::nothing_in(&file.content, &answer).map_err(|what| seen(&what))?;
            let absent = self.ask(&attempt.method, &file.unknown, &attempt.fields).await?;
            ensure!(
                refused::compared(&answer, &file.uri) == refused::compared(&absent, &file.unknown),
                "{}",
                seen(&format!("not as if it did not exist: {answer:?}, {absent:?}"))
            );
        }
        Ok(())
    }

    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    async fn ask(
        &self,
        method: &Method,
        uri: &str,
        fields: &[(HeaderName, &str)],
    ) -> Result<Response<Bytes>, String> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &self.fields {
            request = request.header(name, value);
        }
        for (name, value) in fields {
            request = request.header(name, *value);
        }
        let request = request.body(Bytes::new()).map_err(|error| format!("{method} {uri}: {error}"))?;
        Ok((self.app)(request).await)
    }
}

impl<F> fmt::Debug for Visitor<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("name", &self.name).finish_non_exhaustive()
    }
}
