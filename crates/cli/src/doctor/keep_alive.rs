//! HEAD and GET on one connection: a body behind the answer to a HEAD would be taken for the next answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use secure_download_accel_redirect::doctor::{DOCTOR_PATH, DOCTOR_SESSION};

/// What came behind the HEAD's answer.
pub(super) enum Behind {
    /// The next answer.
    Answer,
    /// Something else.
    Bytes,
    /// The connection was not kept, or cannot be looked into.
    Unknown(&'static str),
}

/// Asks on a bare socket, which mends nothing.
pub(super) fn head_then_get(base: &str, session: &str, probe: &str) -> Behind {
    let Some(authority) = base.strip_prefix("http://") else {
        return Behind::Unknown("looked for over plain HTTP only");
    };
    if authority.contains('/') {
        return Behind::Unknown("looked for only if the URL has no path");
    }
    exchange(authority, session, probe).unwrap_or(Behind::Unknown("the connection broke off"))
}

fn exchange(authority: &str, session: &str, probe: &str) -> std::io::Result<Behind> {
    let address = if authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let fields = format!("Host: {authority}\r\n{DOCTOR_SESSION}: {session}\r\n");
    let target = format!("{DOCTOR_PATH}/{probe} HTTP/1.1\r\n");
    let get = format!("GET {target}{fields}Connection: close\r\n\r\n");
    stream.write_all(format!("HEAD {target}{fields}\r\n{get}").as_bytes())?;
    let mut both = Vec::new();
    stream.read_to_end(&mut both)?;
    let Some(end) = both.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(Behind::Unknown("there was no answer"));
    };
    let behind = &both[end + 4..];
    Ok(if behind.is_empty() {
        Behind::Unknown("the proxy does not keep the connection")
    } else if behind.starts_with(b"HTTP/1.1 200 ") {
        Behind::Answer
    } else {
        Behind::Bytes
    })
}
