//! [`Guard`] as a tower layer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, Entry, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use secure_download_core::PROXY_PROOF;
use tower_layer::Layer;
use tower_service::Service;

use crate::Guard;

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service behind a [`Guard`].
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = GuardedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        hide_proof(request.headers_mut());
        let inner = (!self.guard.refuses(request.uri().path())).then(|| self.inner.call(request));
        GuardedFuture { inner }
    }
}

/// Layers that log whole heads write `Sensitive` in place of such a value.
fn hide_proof(headers: &mut HeaderMap) {
    if let Entry::Occupied(mut lines) = headers.entry(PROXY_PROOF) {
        lines.iter_mut().for_each(|value| value.set_sensitive(true));
    }
}

pin_project! {
    /// The answer of a [`Guarded`] service.
    #[derive(Debug)]
    pub struct GuardedFuture<F> {
        // Absent if the request is refused.
        #[pin]
        inner: Option<F>,
    }
}

impl<F, R, E> Future for GuardedFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match self.project().inner.as_pin_mut() {
            Some(inner) => {
                let mut response = ready!(inner.poll(cx))?;
                Guard::clean(response.status(), response.headers_mut());
                response
            }
            None => {
                let mut response = Response::new(R::default());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
        };
        Poll::Ready(Ok(response))
    }
}
