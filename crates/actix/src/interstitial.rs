//! [`interstitial`]: a page before the files that other sites open.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, HttpResponse};
use http::{HeaderMap, Method};
use secure_download_core::Interstitial;

use crate::{Delivered, DeliveredBody};

/// Puts an [`Interstitial`] before the routes of files, as a middleware of a resource, a scope or an application.
///
/// A middleware around authentication answers before it; the page is the same for every visitor either way.
///
/// ```
/// use actix_web::{App, web};
/// use secure_download_actix::{download, interstitial};
/// use secure_download_core::{Download, Gate, Interstitial};
///
/// # fn app(gate: Gate<(), Download>) {
/// let files = web::scope("/files").wrap(interstitial(Interstitial::new())).route("/{id}", download::<()>(gate));
/// let app = App::new().service(files);
/// # let _ = app;
/// # }
/// ```
#[must_use]
pub fn interstitial(page: Interstitial) -> InterstitialMiddleware {
    InterstitialMiddleware { page }
}

/// See [`interstitial`].
#[derive(Debug, Clone)]
pub struct InterstitialMiddleware {
    page: Interstitial,
}

impl<S, B> Transform<S, ServiceRequest> for InterstitialMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B, DeliveredBody>>;
    type Error = Error;
    type Transform = BehindInterstitial<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(BehindInterstitial { page: self.page.clone(), service }))
    }
}

/// A service behind an [`Interstitial`].
#[derive(Debug, Clone)]
pub struct BehindInterstitial<S> {
    page: Interstitial,
    service: S,
}

impl<S> BehindInterstitial<S> {
    /// actix is on an older version of the `http` crate: only what decides is translated.
    fn answer(&self, request: &ServiceRequest) -> Option<HttpResponse<DeliveredBody>> {
        let method = Method::from_bytes(request.method().as_str().as_bytes()).ok()?;
        let mut headers = HeaderMap::new();
        for name in Interstitial::READ {
            for line in request.headers().get_all(name.as_str()) {
                if let Ok(value) = http::HeaderValue::from_bytes(line.as_bytes()) {
                    headers.append(name.clone(), value);
                }
            }
        }
        self.page.answer(&method, &headers).map(|page| Delivered(page).into())
    }
}

impl<S, B> Service<ServiceRequest> for BehindInterstitial<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B, DeliveredBody>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if let Some(page) = self.answer(&request) {
            return Box::pin(ready(Ok(request.into_response(page).map_into_right_body())));
        }
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            let mut varies = HeaderMap::new();
            Interstitial::vary(&mut varies);
            for (name, value) in &varies {
                let name = HeaderName::from_bytes(name.as_str().as_bytes());
                if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                    response.headers_mut().append(name, value);
                }
            }
            Ok(response.map_into_left_body())
        })
    }
}
