//! [`fetch`]: one request to any address, sent exactly as written.

use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Answer;

/// Sends a request without a body to `url`, whose path and query are not touched. `fields` are whole lines.
///
/// # Panics
/// If there is no whole answer.
pub async fn fetch(method: &str, url: &str, fields: &[&str]) -> Answer {
    fetch_with(method, url, fields, Bytes::new()).await
}

/// As [`fetch`], with a body.
///
/// # Panics
/// If there is no whole answer.
pub async fn fetch_with(method: &str, url: &str, fields: &[&str], body: impl Into<Bytes>) -> Answer {
    let uri: Uri = url.parse().expect("a URL");
    assert_eq!(uri.scheme_str(), Some("http"), "a server on this machine");
    let authority = uri.authority().expect("a host").clone();
    let target = uri.path_and_query().expect("a path").as_str().to_owned();
    let mut request = Request::builder().method(method).uri(target).header("host", authority.as_str());
    for line in fields {
        let (name, value) = line.split_once(':').expect("a field");
        request = request.header(name, value.trim());
    }
    let request = request.body(Full::new(body.into())).expect("a request");
    // RFC 6761 section 6.3: names below `localhost` are this machine, whatever a resolver says.
    let host = if authority.host().ends_with(".localhost") { "127.0.0.1" } else { authority.host() };
    let address = (host, authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}
