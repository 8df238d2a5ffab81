//! [`Guard`] as an actix-web middleware.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{Error, HttpResponse};

use crate::Guard;
use crate::dialect::HAND_OFF;

impl<S, B> Transform<S, ServiceRequest> for Guard
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = GuardedService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(GuardedService { guard: self.clone(), service }))
    }
}

/// A service behind a [`Guard`].
#[derive(Debug, Clone)]
pub struct GuardedService<S> {
    guard: Guard,
    service: S,
}

impl<S, B> Service<ServiceRequest> for GuardedService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if self.guard.refuses(request.uri().path()) {
            let refusal = HttpResponse::NotFound().insert_header((CACHE_CONTROL, "no-store")).finish();
            return Box::pin(ready(Ok(request.into_response(refusal).map_into_right_body())));
        }
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if response.status() != StatusCode::OK {
                for name in HAND_OFF {
                    response.headers_mut().remove(name.as_str());
                }
            }
            Ok(response.map_into_left_body())
        })
    }
}
