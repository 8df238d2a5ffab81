//! [`Doctor`] as a tower service.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use secure_download_core::Body;
use tower_service::Service;

use super::Doctor;

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<B> Service<Request<B>> for Doctor {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let doctor = self.clone();
        let (parts, _) = request.into_parts();
        Box::pin(async move { Ok(doctor.answer(&parts.method, parts.uri.path(), &parts.headers).await) })
    }
}
