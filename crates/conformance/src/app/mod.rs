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
//! let file = File::new("/files/1", b"the only copy of a letter").unknown("/files/no-such-file");
//! let bob = Visitor::new("bob", &app).field("cookie", "session=bob");
//! bob.gets_no_byte_of(&file).await;
//! # });
//! ```

mod attempts;

use std::fmt;

use bytes::Bytes;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED, LOCATION, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use self::attempts::attempts;
use crate::law::{Verdict, ensure, storable_by_shared_caches};

/// Fields that differ between any two answers.
const CHANGING: [&str; 4] = ["date", "x-request-id", "traceparent", "set-cookie"];

/// The fewest bytes of a file that are told apart from anything else.
const TELLING: usize = 8;

/// A file as the application names it.
#[derive(Clone)]
pub struct File {
    uri: String,
    content: Bytes,
    unknown: Option<String>,
}

impl File {
    /// The file under `uri`, path and query, with this content. Eight bytes are enough to find it again, more are better.
    pub fn new(uri: impl Into<String>, content: impl AsRef<[u8]>) -> Self {
        Self { uri: uri.into(), content: Bytes::copy_from_slice(content.as_ref()), unknown: None }
    }

    /// A URI of the same form that names nothing. With it, whoever may not have the file must be answered as if it did
    /// not exist.
    #[must_use]
    pub fn unknown(mut self, uri: impl Into<String>) -> Self {
        self.unknown = Some(uri.into());
        self
    }

    fn shows_in(&self, bytes: &[u8]) -> bool {
        let Some(telling) = self.content.len().checked_sub(TELLING) else {
            return !self.content.is_empty() && contains(bytes, &self.content);
        };
        // Any piece that long holds one that starts at a multiple of half of it, or is caught by its first bytes.
        (0..=telling).step_by(TELLING / 2).any(|at| contains(bytes, &self.content[at..at + TELLING]))
    }
}

fn contains(bytes: &[u8], piece: &[u8]) -> bool {
    bytes.windows(piece.len()).any(|window| window == piece)
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

    /// This visitor is given the file: whole, by HEAD and by range, as a download that no shared cache keeps.
    ///
    /// # Panics
    /// If not.
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
    /// differs from the answer to [`File::unknown`].
    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    pub async fn gets_no_byte_of(&self, file: &File) {
        if let Err(seen) = self.try_gets_no_byte_of(file).await {
            panic!("{} must get nothing of {}: {seen}", self.name, file.uri);
        }
    }

    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    async fn try_gets(&self, file: &File) -> Verdict {
        let whole = self.ask(&Method::GET, &file.uri, &[]).await?;
        ensure!(whole.status() == StatusCode::OK, "GET is answered {}", whole.status());
        ensure!(whole.body() == &file.content, "other bytes");
        ensure!(!storable_by_shared_caches(whole.headers()), "a shared cache may keep it");
        let nosniff = whole.headers().get(X_CONTENT_TYPE_OPTIONS).is_some_and(|value| value == "nosniff");
        ensure!(nosniff, "browsers may guess its type: no `X-Content-Type-Options: nosniff`");
        ensure!(whole.headers().contains_key(CONTENT_DISPOSITION), "no Content-Disposition");
        let head = self.ask(&Method::HEAD, &file.uri, &[]).await?;
        ensure!(head.status() == StatusCode::OK, "HEAD is answered {}", head.status());
        ensure!(head.body().is_empty(), "HEAD has a body");
        if whole.headers().contains_key(http::header::ACCEPT_RANGES) && file.content.len() > 1 {
            let part = self.ask(&Method::GET, &file.uri, &[(RANGE, "bytes=1-")]).await?;
            ensure!(part.status() == StatusCode::PARTIAL_CONTENT, "a range is answered {}", part.status());
            ensure!(part.body() == &file.content[1..], "other bytes in a range");
            let length = part.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
            let right = (file.content.len() - 1).to_string();
            ensure!(length.is_none_or(|length| length == right), "a range of another length");
        }
        Ok(())
    }

    #[expect(clippy::future_not_send, reason = "the application's own future decides")]
    async fn try_gets_no_byte_of(&self, file: &File) -> Verdict {
        for attempt in attempts() {
            let answer = self.ask(&attempt.method, &file.uri, &attempt.fields).await?;
            let seen = |what: &str| format!("{} {:?}: {what}", attempt.method, attempt.fields);
            nothing_in(file, &answer).map_err(|what| seen(&what))?;
            if let Some(unknown) = &file.unknown {
                let absent = self.ask(&attempt.method, unknown, &attempt.fields).await?;
                ensure!(
                    compared(&answer) == compared(&absent),
                    "{}",
                    seen(&format!("not as if it did not exist: {answer:?}, {absent:?}"))
                );
            }
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

/// Nothing of the file, and nothing that says there is one.
fn nothing_in(file: &File, answer: &Response<Bytes>) -> Verdict {
    ensure!(!file.shows_in(answer.body()), "{} holds bytes of the file", answer.status());
    let status = answer.status();
    let refused = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
    );
    let to_sign_in = status.is_redirection()
        && status != StatusCode::NOT_MODIFIED
        && answer.headers().get(LOCATION).is_some_and(|value| value.as_bytes().starts_with(b"/"))
        && answer.headers().get(LOCATION).is_some_and(|value| !value.as_bytes().starts_with(b"//"));
    // A page of the application's own, such as a CORS answer to OPTIONS, has no body.
    let bare =
        status.is_success() && answer.body().is_empty() && !answer.headers().contains_key(CONTENT_LENGTH);
    ensure!(refused || to_sign_in || bare, "answered {status}");
    for name in ["x-accel-redirect", "x-sendfile", "x-lighttpd-send-file", "x-accel-limit-rate"] {
        ensure!(!answer.headers().contains_key(name), "{status} carries {name}");
    }
    for name in [CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, LAST_MODIFIED] {
        ensure!(!answer.headers().contains_key(&name), "{status} carries {name}");
    }
    ensure!(bare || !storable_by_shared_caches(answer.headers()), "{status} may be kept by a shared cache");
    Ok(())
}

/// Status, sorted fields, body: all that tells one answer from another.
type Compared = (StatusCode, Vec<(String, Vec<u8>)>, Bytes);

fn compared(answer: &Response<Bytes>) -> Compared {
    let mut fields: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !CHANGING.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    fields.sort();
    (answer.status(), fields, answer.body().clone())
}

impl<F> fmt::Debug for Visitor<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("name", &self.name).finish_non_exhaustive()
    }
}
