//! [`Client`]: requests of an examination, and what came back.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use secure_download_accel_redirect::doctor::{DOCTOR_MARK, DOCTOR_PATH, DOCTOR_SESSION};

use super::site::Site;
use super::trust::Trust;
use super::wire::Wire;

/// No canary is larger, and nothing else is worth reading.
const LONGEST: u64 = 1 << 20;

/// Asks through the proxy, as any client would.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    site: Site,
    trust: Trust,
    session: String,
    requests: AtomicU32,
}

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What came back for one of the doctor's own paths.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) answer: Result<Seen, String>,
    /// The request's number in the session.
    number: u32,
}

impl Heard {
    pub(super) fn is(&self, right: impl FnOnce(&Seen) -> bool) -> bool {
        self.answer.as_ref().is_ok_and(right)
    }

    /// The text that the application answered, or `None` if something else came.
    pub(super) fn told(&self) -> Option<String> {
        let seen = self.answer.as_ref().ok().filter(|seen| seen.status == 200)?;
        seen.text().strip_prefix(DOCTOR_MARK).map(str::to_owned)
    }
}

impl Client {
    pub(super) fn new(url: &str, authorities: &[PathBuf]) -> Result<Self, String> {
        let site = Site::parse(url)?;
        let trust = Trust::load(authorities)?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(30)))
            .tls_config(trust.for_requests())
            .build()
            .into();
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|error| format!("no random bytes: {error}"))?;
        let session = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { agent, site, trust, session, requests: AtomicU32::new(0) })
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn connect(&self) -> Result<Wire, String> {
        Wire::connect(&self.site, &self.trust)
    }

    /// Spends the token.
    pub(super) fn open(&self, token: &str) -> Heard {
        let bearer = format!("Bearer {token}");
        self.ask("POST", "open", &[("authorization", &bearer)])
    }

    /// A GET of one of the doctor's own paths.
    pub(super) fn probe(&self, probe: &str, headers: &[(&str, &str)]) -> Heard {
        self.ask("GET", probe, headers)
    }

    fn ask(&self, method: &str, probe: &str, headers: &[(&str, &str)]) -> Heard {
        let (number, session) = self.numbered();
        let url = format!("{}{}{DOCTOR_PATH}/{probe}", self.site.origin(), self.site.path());
        let request = Request::builder().method(method).uri(url).header(DOCTOR_SESSION, session);
        Heard { answer: self.send(request, headers), number }
    }

    /// The number of the next request, and the session's header with it.
    pub(super) fn numbered(&self) -> (u32, String) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        (number, format!("{}.{number}", self.session))
    }

    /// How often the application was asked by this request: never if something in front of it answered. `None` if the
    /// application does not answer that.
    pub(super) fn arrived(&self, heard: &Heard) -> Option<u64> {
        self.probe(&format!("calls/{}", heard.number), &[]).told()?.trim().parse().ok()
    }

    /// A request for a path of the server, which need not be the application's, without anything that opens the doctor.
    pub(super) fn request(&self, method: &str, path: &str) -> Result<Seen, String> {
        let url = format!("{}{path}", self.site.origin());
        self.send(Request::builder().method(method).uri(url), &[])
    }

    /// A GET of an address that is not the application's.
    pub(super) fn get_elsewhere(&self, url: &str) -> Result<Seen, String> {
        self.send(Request::get(url), &[])
    }

    fn send(&self, mut request: http::request::Builder, headers: &[(&str, &str)]) -> Result<Seen, String> {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).map_err(|error| error.to_string())?;
        let response = self.agent.run(request).map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.into_with_config().limit(LONGEST).read_to_vec().map_err(|error| error.to_string())?;
        Ok(Seen { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

impl Seen {
    /// What stands for an answer that did not come.
    pub(super) fn nothing() -> Self {
        Self { status: 0, headers: HeaderMap::new(), body: Vec::new() }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The headers by which a proxy is told something that no client may see.
    pub(super) fn shown(&self) -> Option<&'static str> {
        ["x-accel-redirect", "x-sendfile"].into_iter().find(|name| self.headers.contains_key(*name))
    }

    /// Whether this is nginx's own page for an error.
    pub(super) fn is_page_of_nginx(&self) -> bool {
        self.status >= 400 && self.text().contains("<center>nginx")
    }

    /// In a few words, for the report.
    pub(super) fn describe(&self) -> String {
        let shown = self.shown().map_or_else(String::new, |name| format!(", {name} visible"));
        let server = self.header("server").map_or_else(String::new, |name| format!(", Server: {name}"));
        let phrase = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let phrase = phrase.map_or_else(String::new, |phrase| format!(" {phrase}"));
        format!("{}{phrase} with {} bytes{shown}{server}", self.status, self.body.len())
    }
}
