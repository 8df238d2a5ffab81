//! Probes that a client library does not send: on a connection of their own, byte by byte.

use std::time::{Duration, Instant};

use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::{DOCTOR_MARK, DOCTOR_PATH, DOCTOR_SESSION};

use super::client::{Client, Seen};
use super::faults;
use super::report::{Verdict, fault, not_known};
use super::site::Site;
use super::wire::Wire;

/// A site that ends a head sooner does it for another reason, such as a limit on connections.
const SOON: Duration = Duration::from_millis(200);

/// What came behind the HEAD's answer.
pub(super) enum Behind {
    /// The next answer.
    Answer,
    /// Something else.
    Bytes,
    /// The proxy ends connections after a HEAD.
    End,
    /// Something else than the file's head was answered.
    Unknown(String),
}

/// HEAD and GET on one connection: a client would take a body behind the answer to HEAD for the next answer.
pub(super) fn head_then_get(client: &Client, probe: &str) -> Behind {
    let site = client.site();
    let target = format!("{}{DOCTOR_PATH}/{probe} HTTP/1.1\r\n", site.path());
    let request = |method: &str, end: &str| {
        let (_, session) = client.numbered();
        format!("{method} {target}Host: {}\r\n{DOCTOR_SESSION}: {session}\r\n{end}\r\n", site.authority())
    };
    let both = format!("{}{}", request("HEAD", ""), request("GET", "Connection: close\r\n"));
    let both = match exchange(client, &both) {
        Ok(both) => both,
        Err(error) => return Behind::Unknown(error),
    };
    let Some(end) = both.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Behind::Unknown("there was no answer".to_owned());
    };
    let (head, behind) = (String::from_utf8_lossy(&both[..end]).into_owned(), &both[end + 4..]);
    if !head.starts_with("HTTP/1.1 200 ") {
        return Behind::Unknown(format!("HEAD was answered {}", head.lines().next().unwrap_or_default()));
    }
    if behind.is_empty() {
        Behind::End
    } else if behind.starts_with(b"HTTP/1.1 200 ") {
        Behind::Answer
    } else if behind.starts_with(b"HTTP/1.1 ") {
        Behind::Unknown("something else answered the second request".to_owned())
    } else {
        Behind::Bytes
    }
}

/// The application's echo of a request with these lines.
pub(super) fn echo(client: &Client, lines: &str) -> Result<String, String> {
    let site = client.site();
    let (_, session) = client.numbered();
    let request = format!(
        "GET {}{DOCTOR_PATH}/echo HTTP/1.1\r\nHost: {}\r\n{DOCTOR_SESSION}: {session}\r\n{lines}\r\n",
        site.path(),
        site.authority()
    );
    let answer = String::from_utf8_lossy(&exchange(client, &request)?).into_owned();
    match answer.split_once(DOCTOR_MARK) {
        Some((_, echo)) => Ok(echo.to_owned()),
        None => Err(format!("answered {}", answer.lines().next().unwrap_or_default())),
    }
}

/// The answer to a request that asks for itself, at most so many proxies away.
pub(super) fn trace(client: &Client, forwards: Option<u8>) -> Result<Seen, String> {
    let forwards = forwards.map_or_else(String::new, |hops| format!("Max-Forwards: {hops}\r\n"));
    let (host, path) = (client.site().authority(), client.site().path());
    let request = format!(
        "TRACE {path}{DOCTOR_PATH}/echo HTTP/1.1\r\nHost: {host}\r\n{forwards}Connection: close\r\n\r\n"
    );
    parse(&exchange(client, &request)?).ok_or_else(|| "there was no answer".to_owned())
}

fn exchange(client: &Client, requests: &str) -> Result<Vec<u8>, String> {
    let mut wire = client.connect()?;
    wire.send(requests.as_bytes()).map_err(|error| error.to_string())?;
    wire.read_all().map_err(|error| error.to_string())
}

fn parse(answer: &[u8]) -> Option<Seen> {
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let mut seen = Seen { body: answer[end + 4..].to_vec(), ..Seen::nothing() };
    seen.status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let (name, value) = (http::HeaderName::from_bytes(name.as_bytes()), value.trim().parse());
        if let (Ok(name), Ok(value)) = (name, value) {
            seen.headers.append(name, value);
        }
    }
    Some(seen)
}

/// What became of a connection on which a head stopped half-way.
pub(super) enum Head {
    /// The site ended it.
    Ended,
    /// The site still answered when the rest came, so long after.
    Held(Duration),
    /// Nothing follows.
    Unknown(String),
}

/// Sends half a head, waits, and finishes it if the site still holds the connection.
pub(super) fn unfinished_head(wire: Result<Wire, String>, site: &Site, longest: Duration) -> Head {
    let mut wire = match wire {
        Ok(wire) => wire,
        Err(error) => return Head::Unknown(error),
    };
    let half = format!("GET {}{DOCTOR_PATH}/ HTTP/1.1\r\nHost: {}\r\n", site.path(), site.authority());
    if let Err(error) = wire.send(half.as_bytes()) {
        return Head::Unknown(error.to_string());
    }
    let started = Instant::now();
    match wire.wait(longest) {
        Some(_) if started.elapsed() < SOON => {
            Head::Unknown("the site ended the connection at once".to_owned())
        }
        Some(_) => Head::Ended,
        None => {
            let answered = wire.send(b"Connection: close\r\n\r\n").is_ok()
                && wire.wait(Duration::from_secs(10)).is_some_and(|piece| !piece.is_empty());
            if answered {
                Head::Held(longest)
            } else {
                Head::Unknown("the connection died silently".to_owned())
            }
        }
    }
}

impl Head {
    pub(super) fn verdict(self, dialect: Option<Dialect>) -> Verdict {
        match self {
            Self::Ended => Verdict::Pass,
            Self::Unknown(why) => not_known(why),
            Self::Held(longest) => fault(
                format!("half a head is held for {} s", longest.as_secs()),
                vec![faults::unfinished_heads(dialect)],
            ),
        }
    }
}
