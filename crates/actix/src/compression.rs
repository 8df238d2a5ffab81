//! [`except_downloads`]: compression that leaves downloads alone.

use std::future::Future;
use std::pin::Pin;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{CONTENT_ENCODING, HeaderValue};
use secure_download_core::ServedBy;

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// Keeps a compression middleware, such as actix's `Compress`, away from downloads: compressing one would break its
/// ranges and its strong entity tag.
///
/// ```
/// use actix_web::App;
/// use actix_web::middleware::Compress;
/// use secure_download_actix::except_downloads;
///
/// let app = App::new().wrap(except_downloads(Compress::default()));
/// # let _ = app;
/// ```
///
/// Such a middleware takes an answer that carries `Content-Encoding` for compressed already. So downloads carry
/// `Content-Encoding: identity` on their way through it, and lose it again behind it, as RFC 9110 section 8.4.1 wants.
pub fn except_downloads<T>(compression: T) -> ExceptDownloads<T> {
    ExceptDownloads(compression)
}

/// See [`except_downloads`].
#[derive(Debug, Clone)]
pub struct ExceptDownloads<T>(T);

impl<T, S, B, C> Transform<S, ServiceRequest> for ExceptDownloads<T>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
    T: Transform<Marking<S>, ServiceRequest, Response = ServiceResponse<C>, Error = Error>,
    T::Future: 'static,
    T::Transform: Service<ServiceRequest, Response = ServiceResponse<C>, Error = Error>,
    <T::Transform as Service<ServiceRequest>>::Future: 'static,
    C: 'static,
{
    type Response = ServiceResponse<C>;
    type Error = Error;
    type Transform = Unmarking<T::Transform>;
    type InitError = T::InitError;
    type Future = Local<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let compressing = self.0.new_transform(Marking { service });
        Box::pin(async move { compressing.await.map(|service| Unmarking { service }) })
    }
}

const MARK: HeaderValue = HeaderValue::from_static("identity");

/// Stands inside the compression.
#[derive(Debug)]
pub struct Marking<S> {
    service: S,
}

/// Stands outside the compression.
#[derive(Debug)]
pub struct Unmarking<S> {
    service: S,
}

fn is_download<B>(response: &ServiceResponse<B>) -> bool {
    response.response().extensions().contains::<ServedBy>()
}

impl<S, B> Service<ServiceRequest> for Marking<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Local<Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if is_download(&response) && !response.headers().contains_key(CONTENT_ENCODING) {
                response.headers_mut().insert(CONTENT_ENCODING, MARK);
            }
            Ok(response)
        })
    }
}

impl<S, B> Service<ServiceRequest> for Unmarking<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Local<Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if is_download(&response) && response.headers().get(CONTENT_ENCODING) == Some(&MARK) {
                response.headers_mut().remove(CONTENT_ENCODING);
            }
            Ok(response)
        })
    }
}
