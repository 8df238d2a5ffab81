//! [`TlsBucket`]: a store behind TLS that shows all that real ones show, and remembers what it was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::BUCKET_HOST;

/// What stores add to their answers, and what one that was taken over might.
const SHOWN: [(&str, &str); 8] = [
    ("server", "BucketServer"),
    ("set-cookie", "bucket=1; Path=/"),
    ("x-accel-redirect", "/_elsewhere"),
    ("x-amz-id-2", "bucket-host-id"),
    ("x-amz-invented-today", "bucket"),
    ("x-amz-meta-owner", "bucket-owner"),
    ("x-amz-request-id", "bucket-request"),
    ("x-frame-options", "bucket"),
];

/// One request as the store received it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Path and query, byte for byte.
    pub target: String,
    /// Every field line.
    pub headers: HeaderMap,
}

/// Passes requests on to a store without TLS.
#[derive(Debug)]
pub struct TlsBucket {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    store: SocketAddr,
    asked: Mutex<Vec<Asked>>,
    instead: Mutex<Option<StatusCode>>,
}

impl TlsBucket {
    /// Starts one at this address; port 0 picks a free one. Returns it and where it listens.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(at: (Ipv4Addr, u16), tls: TlsAcceptor, store: SocketAddr) -> (Self, SocketAddr) {
        let listener = TcpListener::bind(at).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { store, asked: Mutex::default(), instead: Mutex::default() });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, shared) = (tls.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    // Whoever does not trust the certificate goes away here.
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let answer = service_fn(|request| answer(request, Arc::clone(&shared)));
                    let _ = server::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        (Self { shared, task }, address)
    }

    /// From now on every answer has this status, and a page and a `Location` that name the bucket.
    ///
    /// # Panics
    /// If a request panicked.
    pub fn answer_with(&self, status: Option<StatusCode>) {
        *self.shared.instead.lock().expect("not poisoned") = status;
    }

    /// The requests since the last call.
    ///
    /// # Panics
    /// If a request panicked.
    #[must_use]
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.asked.lock().expect("not poisoned"))
    }
}

impl Drop for TlsBucket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, AnyError> {
    shared.asked.lock().expect("not poisoned").push(Asked {
        method: request.method().clone(),
        target: request.uri().to_string(),
        headers: request.headers().clone(),
    });
    let instead = *shared.instead.lock().expect("not poisoned");
    let mut response = match instead {
        Some(status) => {
            let page = format!("<?xml version=\"1.0\"?><Error>{BUCKET_HOST}</Error>");
            let page = Full::new(Bytes::from(page)).map_err(|never| match never {}).boxed();
            let location = format!("https://{BUCKET_HOST}/?X-Amz-Signature=1");
            let length = (status == StatusCode::RANGE_NOT_SATISFIABLE).then_some("bytes */300000");
            let response = Response::builder().status(status).header("location", location);
            length.into_iter().fold(response, |it, length| it.header("content-range", length)).body(page)?
        }
        None => {
            let stream = TcpStream::connect(shared.store).await?;
            let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?.map(http_body_util::BodyExt::boxed)
        }
    };
    for (name, value) in SHOWN {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
