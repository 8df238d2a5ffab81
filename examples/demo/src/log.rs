//! One line for each request, on standard error.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::{Method, StatusCode};
use secure_download::observe::redact_id;

/// The longest path that is logged, in bytes.
const LONGEST: usize = 200;

/// One request. Its line is written when it is dropped, so it lives as long as the answer's body.
///
/// `METHOD PATH STATUS BYTES STRATEGY MILLISECONDS`, where the bytes are those of the body that this program sent,
/// and the strategy is `-` for everything but a download.
#[derive(Debug)]
pub struct LogLine {
    request: String,
    status: Option<StatusCode>,
    strategy: &'static str,
    bytes: AtomicU64,
    started: Instant,
}

impl LogLine {
    /// Begins with the request. The query is left out, and so is the token of a link.
    #[must_use]
    pub fn new(method: &Method, path: &str) -> Self {
        let request = format!("{method} {}", loggable(path));
        Self { request, status: None, strategy: "-", bytes: AtomicU64::new(0), started: Instant::now() }
    }

    /// Adds the answer, and the strategy if it is a download.
    pub fn answered(&mut self, status: StatusCode, strategy: Option<&'static str>) {
        self.status = Some(status);
        self.strategy = strategy.unwrap_or("-");
    }

    /// Adds bytes of the body that were given to the framework.
    pub fn sent(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn text(&self, milliseconds: u128) -> String {
        let mut line = format!("{} ", self.request);
        // Without a status the client was gone before there was an answer.
        let _ = match self.status {
            Some(status) => write!(line, "{}", status.as_u16()),
            None => write!(line, "-"),
        };
        let bytes = self.bytes.load(Ordering::Relaxed);
        let _ = writeln!(line, " {bytes} {} {milliseconds}", self.strategy);
        line
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        write_line(&self.text(self.started.elapsed().as_millis()));
    }
}

/// Notes what went wrong inside, for whoever runs the demo.
pub fn log_failure(what: &str, error: &dyn Display) {
    write_line(&format!("error: {what}: {}\n", format!("{error}").escape_debug()));
}

/// In one piece, so that lines of several threads do not mix.
fn write_line(line: &str) {
    // A log that cannot be written must not end the service.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// A path without secrets and control characters.
fn loggable(path: &str) -> String {
    // A token under a mangled path is still one. What is as long as a token becomes a hash, so that padded ids are told apart.
    let path = path.split('/').map(redact_id).collect::<Vec<_>>().join("/");
    let path = match path.strip_prefix("/d/") {
        Some(token) => format!("/d/…{}", token.find('/').map_or("", |end| &token[end..])),
        None => path,
    };
    let (path, rest) = path.split_at(path.floor_char_boundary(LONGEST));
    let text = format!("{path}{}", redact_id(rest));
    // White space separates the fields of a line.
    text.replace(' ', "").escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_what_the_contract_names_and_no_secret() {
        let token = "x".repeat(90);
        let hashed = |segment: &str| redact_id(segment).replace(' ', "");
        assert_ne!(hashed(&format!("{:0>64}", 7)), hashed(&format!("{:0>64}", 8)));
        for (path, logged) in [
            ("/", "/"),
            ("/files/1", "/files/1"),
            ("/d/secret", "/d/…"),
            ("/d/secret/file", "/d/…/file"),
            ("/d/", "/d/…"),
            (&format!("/%64/{token}/file"), &format!("/%64/{}/file", hashed(&token))),
            (&format!("//D/{token}"), &format!("//D/{}", hashed(&token))),
            (&format!("/files/{:0>64}", 7), &format!("/files/{}", hashed(&format!("{:0>64}", 7)))),
            (&format!("/files/{:0>64}", 8), &format!("/files/{}", hashed(&format!("{:0>64}", 8)))),
            ("/a b", "/ab"),
            ("/a\u{1b}[2J\n", "/a\\u{1b}[2J\\n"),
        ] {
            let mut line = LogLine::new(&Method::GET, path);
            assert_eq!(line.text(3), format!("GET {logged} - 0 - 3\n"));
            line.answered(StatusCode::OK, Some("stream"));
            line.sent(40);
            line.sent(2);
            assert_eq!(line.text(3), format!("GET {logged} 200 42 stream 3\n"));
        }
        let long = loggable(&"/ä".repeat(1000));
        assert!(long.len() < 2 * LONGEST && long.contains("[…"), "{long}");
    }
}
