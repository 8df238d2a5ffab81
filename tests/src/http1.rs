//! [`Http1`]: HTTP/1.1 over a bare socket, so that nothing mends what a server sends.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::Answer;

/// A server that says nothing for so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// One kept connection.
#[derive(Debug)]
pub struct Http1 {
    stream: BufReader<TcpStream>,
}

impl Http1 {
    /// Connects.
    ///
    /// # Panics
    /// If nobody listens there.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        Self { stream: BufReader::with_capacity(64 * 1024, stream) }
    }

    /// Sends a request without waiting for its answer. `fields` are whole lines without their ends. The host is `localhost`
    /// unless a line says another.
    ///
    /// # Panics
    /// If the connection is gone.
    pub async fn send(&mut self, method: &str, target: &str, fields: &[String]) {
        let mut request = format!("{method} {target} HTTP/1.1\r\n");
        if !fields.iter().any(|line| line.starts_with("Host:")) {
            request.push_str("Host: localhost\r\n");
        }
        for line in fields {
            request.push_str(line);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        self.stream.write_all(request.as_bytes()).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    /// Sends a request with a body without waiting for its answer.
    ///
    /// # Panics
    /// If the connection is gone.
    pub async fn send_with_body(&mut self, method: &str, target: &str, fields: &[String], body: &[u8]) {
        let length = format!("Content-Length: {}", body.len());
        self.send(method, target, &[fields, &[length]].concat()).await;
        self.stream.write_all(body).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    /// Receives the answer to the next request, which was of this method.
    ///
    /// # Panics
    /// If what comes is no answer, or its body is not exactly as long as announced.
    pub async fn receive(&mut self, method: &str) -> Answer {
        tokio::time::timeout(PATIENCE, self.receive_now(method)).await.expect("an answer")
    }

    /// Receives the head of the next answer, to a GET, and so many bytes of its body; the rest stays on its way.
    ///
    /// # Panics
    /// If what comes is no answer, or ends before.
    pub async fn receive_part(&mut self, length: usize) -> Vec<u8> {
        let receive = async {
            self.receive_head().await;
            let mut part = vec![0; length];
            self.stream.read_exact(&mut part).await.expect("a part of the body");
            part
        };
        tokio::time::timeout(PATIENCE, receive).await.expect("an answer")
    }

    async fn receive_now(&mut self, method: &str) -> Answer {
        let mut answer = self.receive_head().await;
        // RFC 9112 section 6.3: when a body follows, and how long it is.
        let bodiless = method == "HEAD" || answer.status == StatusCode::NOT_MODIFIED;
        assert_eq!(answer.field("transfer-encoding"), None, "every length is known");
        if !bodiless {
            let length = answer.field("content-length").expect("a length").parse().expect("a number");
            answer.body = vec![0; length];
            self.stream.read_exact(&mut answer.body).await.expect("a whole body");
        }
        answer
    }

    async fn receive_head(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.expect("a head"));
        }
        let head = std::str::from_utf8(&head).expect("ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().expect("a status line");
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = StatusCode::from_bytes(status.expect(status_line).as_bytes()).expect(status_line);
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").expect(line);
            let name = HeaderName::from_bytes(name.as_bytes()).expect(line);
            headers.append(name, HeaderValue::from_str(value).expect(line));
        }
        Answer { status, headers, body: Vec::new() }
    }

    /// A request and its answer.
    ///
    /// # Panics
    /// As [`Http1::send`] and [`Http1::receive`].
    pub async fn ask(&mut self, method: &str, target: &str, fields: &[String]) -> Answer {
        self.send(method, target, fields).await;
        self.receive(method).await
    }
}
