//! [`App`]: the application's service, as one connection calls it.

use std::convert::Infallible;
use std::future::poll_fn;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;
use secure_download_core::Patience;
use secure_download_tcp::names_its_host;
use tower_service::Service;

use crate::PeerAddr;

/// The service, and what its requests are told of their connection.
#[derive(Clone)]
pub(super) struct App<S> {
    service: S,
    peer: PeerAddr,
    patience: Patience,
}

impl<S, B> App<S>
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    pub(super) fn new(service: S, peer: PeerAddr, patience: Patience) -> Self {
        Self { service, peer, patience }
    }

    /// Answers one request.
    pub(super) async fn answer(mut self, request: http::Request<Incoming>) -> Response {
        let hosts = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
        if !names_its_host(request.version(), hosts) {
            // Another server on the way might read it as two requests.
            let close = [(CONNECTION, HeaderValue::from_static("close"))];
            return (StatusCode::BAD_REQUEST, close, "400 Bad Request\n").into_response();
        }
        let mut request = request.map(Body::new);
        let extensions = request.extensions_mut();
        extensions.insert(self.patience);
        extensions.insert(ConnectInfo(self.peer));
        if let PeerAddr::Tcp(address) = self.peer {
            extensions.insert(ConnectInfo(address));
        }
        let Ok(()) = poll_fn(|cx| self.service.poll_ready(cx)).await;
        let Ok(response) = self.service.call(request).await;
        response.map(Body::new)
    }
}
