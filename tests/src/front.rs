//! [`Front`]: a layer in front of a site, which answers some requests itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::serve_router;

/// What a layer answers in place of the site.
#[derive(Debug, Clone, Copy)]
pub enum Front {
    /// 429.
    RateLimiter,
    /// nginx's own limiter: 503 with its own page.
    RateLimiterOfNginx,
    /// A redirect to a login page.
    LoginRedirect,
    /// The login page itself.
    LoginPage,
    /// An error page of a proxy.
    BadGateway,
    /// The page of an application that runs in the browser, for every path.
    PageForEveryPath,
}

impl Front {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::RateLimiter,
        Self::RateLimiterOfNginx,
        Self::LoginRedirect,
        Self::LoginPage,
        Self::BadGateway,
        Self::PageForEveryPath,
    ];

    fn answer(self) -> Response {
        let (status, header, body) = match self {
            Self::RateLimiter => (429, ("retry-after", "60"), "Too Many Requests"),
            Self::RateLimiterOfNginx => {
                (503, ("server", "nginx"), "<center><h1>503</h1></center><hr><center>nginx</center>")
            }
            Self::LoginRedirect => (302, ("location", "https://id.example/login?next=/"), ""),
            Self::LoginPage => {
                (200, ("content-type", "text/html"), "<form><input name=p type=\"password\"></form>")
            }
            Self::BadGateway => (502, ("server", "front"), "Bad Gateway"),
            Self::PageForEveryPath => (200, ("content-type", "text/html"), "<div id=app></div>"),
        };
        let response = Response::builder().status(status).header(header.0, header.1);
        response.body(Body::from(body)).expect("an answer")
    }

    /// Lets the first `passed` requests through to `site`, and of the later ones those that `spares` names.
    pub async fn before(
        self,
        site: SocketAddr,
        passed: usize,
        spares: impl Fn(&str) -> bool + Clone + Send + Sync + 'static,
    ) -> SocketAddr {
        let seen = Arc::new(AtomicUsize::new(0));
        let layer = move |request: Request| {
            let number = seen.fetch_add(1, Ordering::Relaxed);
            let relays = number < passed || spares(request.uri().path());
            async move { if relays { relay(site, request).await } else { self.answer() } }
        };
        serve_router(Router::new().fallback(layer)).await
    }
}

async fn relay(site: SocketAddr, request: Request) -> Response {
    let stream = TcpStream::connect(site).await.expect("the site listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    match sender.send_request(request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => Front::BadGateway.answer(),
    }
}
