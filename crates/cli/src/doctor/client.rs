//! Requests of an examination, and what came back.

use std::time::Duration;

use http::{HeaderMap, Request};
use secure_download_accel_redirect::doctor::{DOCTOR_PATH, DOCTOR_SESSION};

/// No canary is larger, and nothing else is worth reading.
const LONGEST: u64 = 1 << 20;

/// Asks through the proxy, as any client would.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
    session: String,
}

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let base = url.trim_end_matches('/').to_owned();
        let known = base.starts_with("http://") || base.starts_with("https://");
        if !known || base.parse::<http::Uri>().is_err() {
            return Err(format!("{url:?} is no URL of the form http://HOST:PORT or https://HOST"));
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|error| format!("no random bytes: {error}"))?;
        let session = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { agent, base, session })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// Spends the token.
    pub(super) fn open(&self, token: &str) -> Result<Seen, String> {
        let bearer = format!("Bearer {token}");
        self.request("POST", &format!("{DOCTOR_PATH}/open"), &[("authorization", &bearer)])
    }

    /// A GET of one of the doctor's own paths.
    pub(super) fn probe(&self, probe: &str, fields: &[(&str, &str)]) -> Result<Seen, String> {
        self.request("GET", &format!("{DOCTOR_PATH}/{probe}"), fields)
    }

    /// A GET of any path.
    pub(super) fn get(&self, path: &str) -> Result<Seen, String> {
        self.request("GET", path, &[])
    }

    /// A GET of an address that is not the application's, without anything that opens the doctor.
    pub(super) fn get_elsewhere(&self, url: &str) -> Result<Seen, String> {
        self.send(Request::get(url), &[])
    }

    fn request(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Result<Seen, String> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(url);
        if path.starts_with(DOCTOR_PATH) {
            request = request.header(DOCTOR_SESSION, &self.session);
        }
        self.send(request, fields)
    }

    fn send(&self, mut request: http::request::Builder, fields: &[(&str, &str)]) -> Result<Seen, String> {
        for (name, value) in fields {
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
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
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
        let server = self.field("server").map_or_else(String::new, |name| format!(", Server: {name}"));
        format!("{} with {} bytes{shown}{server}", self.status, self.body.len())
    }
}
