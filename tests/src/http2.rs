//! [`Http2`]: HTTP/2 in clear text with prior knowledge, RFC 9113 section 3.3.

use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::Answer;

/// One connection.
#[derive(Debug)]
pub struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
}

impl Http2 {
    /// Connects.
    ///
    /// # Panics
    /// If nobody speaks HTTP/2 there.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { sender }
    }

    /// A request and the head of its answer; the body comes as it is read.
    ///
    /// # Panics
    /// If the stream is reset.
    pub async fn start(&mut self, method: &str, target: &str, fields: &[String]) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(format!("http://localhost{target}"));
        for line in fields {
            let (name, value) = line.split_once(':').expect(line);
            request = request.header(name, value.trim());
        }
        let request = request.body(Empty::new()).expect("a request");
        self.sender.send_request(request).await.expect("an answer")
    }

    /// A request and its answer. `fields` are whole lines, as in HTTP/1.1.
    ///
    /// # Panics
    /// If the stream is reset, or the body is not exactly as long as announced.
    pub async fn ask(&mut self, method: &str, target: &str, fields: &[String]) -> Answer {
        let (parts, body) = self.start(method, target, fields).await.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
