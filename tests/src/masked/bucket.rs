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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::BUCKET_HOST;

/// What stores add to their answers, and what one that was taken over might. nginx must be told these names by itself.
const SHOWN: [(&str, &str); 40] = [
    ("access-control-allow-origin", "https://bucket-evil"),
    ("access-control-max-age", "bucket-evil"),
    ("age", "bucket-evil"),
    ("alt-svc", "bucket-evil"),
    ("cache-control", "public, max-age=31536000"),
    ("clear-site-data", "\"bucket-evil\""),
    ("content-disposition", "inline; filename=bucket-evil"),
    ("content-encoding", "bucket-evil"),
    ("content-location", "https://bucket-evil"),
    ("content-security-policy", "bucket-evil"),
    ("content-type", "text/html; name=bucket-evil"),
    ("digest", "bucket-evil"),
    ("expires", "Wed, 25 Nov 2099 00:00:00 GMT"),
    ("link", "<https://bucket-evil>; rel=preload"),
    ("location", "https://bucket-evil"),
    ("nel", "bucket-evil"),
    ("origin-trial", "bucket-evil"),
    ("permissions-policy", "bucket-evil"),
    ("proxy-authenticate", "Basic realm=bucket-evil"),
    ("refresh", "0; url=https://bucket-evil"),
    ("report-to", "bucket-evil"),
    ("reporting-endpoints", "bucket-evil"),
    ("server", "BucketServer"),
    ("set-cookie", "bucket=1; Path=/"),
    ("set-cookie2", "bucket-evil"),
    ("set-login", "bucket-evil"),
    ("sourcemap", "bucket-evil"),
    ("speculation-rules", "bucket-evil"),
    ("strict-transport-security", "max-age=0"),
    ("vary", "bucket-evil"),
    ("via", "1.1 bucket-evil"),
    ("warning", "bucket-evil"),
    ("www-authenticate", "Basic realm=bucket-evil"),
    ("x-accel-limit-rate", "1"),
    ("x-accel-redirect", "/_elsewhere"),
    ("x-amz-id-2", "bucket-host-id"),
    ("x-amz-request-id", "bucket-request"),
    ("x-frame-options", "bucket-evil"),
    ("x-powered-by", "bucket-evil"),
    ("x-ratelimit-limit", "bucket-evil"),
];

/// Names that nobody knows beforehand.
const INVENTED: [&str; 13] = [
    "!invented",
    "1invented",
    "_invented",
    "accept-rangesx",
    "e",
    "etagx",
    "invented",
    "s",
    "set",
    "set-",
    "sx",
    "x-amz-meta-owner",
    "x-invented",
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
    raw: Mutex<Option<Vec<u8>>>,
}

impl TlsBucket {
    /// Starts one at this address; port 0 picks a free one. Returns it and where it listens.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(at: (Ipv4Addr, u16), tls: TlsAcceptor, store: SocketAddr) -> (Self, SocketAddr) {
        let listener = TcpListener::bind(at).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            store,
            asked: Mutex::default(),
            instead: Mutex::default(),
            raw: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, shared) = (tls.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    // Whoever does not trust the certificate goes away here.
                    let Ok(mut stream) = tls.accept(stream).await else { return };
                    let raw = shared.raw.lock().expect("not poisoned").clone();
                    if let Some(raw) = raw {
                        let _ = answer_raw(&mut stream, &raw).await;
                        return;
                    }
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

    /// From now on every new connection gets exactly these bytes for its first request, and ends.
    ///
    /// # Panics
    /// If a request panicked.
    pub fn answer_with_bytes(&self, bytes: &[u8]) {
        *self.shared.raw.lock().expect("not poisoned") = Some(bytes.to_vec());
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

async fn answer_raw(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    stream.write_all(bytes).await?;
    stream.shutdown().await
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
            let length = (status == StatusCode::RANGE_NOT_SATISFIABLE).then_some("bytes */300000");
            let response = Response::builder().status(status);
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
    for name in INVENTED {
        response.headers_mut().insert(name, HeaderValue::from_static("bucket-invented"));
    }
    if instead.is_some() {
        let location = HeaderValue::try_from(format!("https://{BUCKET_HOST}/?X-Amz-Signature=1"))?;
        response.headers_mut().insert("location", location);
    }
    Ok(response)
}
