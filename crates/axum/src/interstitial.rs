//! [`interstitial`]: a page before the files that other sites open.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use http::Request;
use secure_download_core::Interstitial;
use tower_layer::Layer;
use tower_service::Service;

/// Puts an [`Interstitial`] before the routes of files, as a layer of a route or a router.
///
/// A layer around authentication answers before it; the page is the same for every visitor either way.
///
/// ```
/// use axum::Router;
/// use secure_download_axum::{download, interstitial};
/// use secure_download_core::{Download, Gate, Interstitial};
///
/// fn app(gate: Gate<(), Download>) -> Router {
///     Router::new().route("/files/{id}", download::<(), _>(gate)).layer(interstitial(Interstitial::new()))
/// }
/// ```
#[must_use]
pub fn interstitial(page: Interstitial) -> InterstitialLayer {
    InterstitialLayer { page }
}

/// See [`interstitial`].
#[derive(Debug, Clone)]
pub struct InterstitialLayer {
    page: Interstitial,
}

impl<S> Layer<S> for InterstitialLayer {
    type Service = BehindInterstitial<S>;

    fn layer(&self, inner: S) -> BehindInterstitial<S> {
        BehindInterstitial { page: self.page.clone(), inner }
    }
}

/// A service behind an [`Interstitial`].
#[derive(Debug, Clone)]
pub struct BehindInterstitial<S> {
    page: Interstitial,
    inner: S,
}

impl<S, B> Service<Request<B>> for BehindInterstitial<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(page) = self.page.answer(request.method(), request.headers()) {
            return Box::pin(std::future::ready(Ok(page.map(Body::new))));
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            Interstitial::vary(response.headers_mut());
            Ok(response)
        })
    }
}
