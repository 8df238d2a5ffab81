//! The application's side of the doctor: fixed canaries that a deployment check asks for through the proxy.
//!
//! `secure-download doctor --url URL --token TOKEN` cannot see how a proxy is configured, only what comes of it. So the
//! application answers it, for a short while, with hand-offs of canary files, with status codes, and with
//! what it sees of a request. Nothing here names a file, a header or a status that a request could choose, except among those
//! fixed ones.

mod canary;
mod examined;
#[cfg(feature = "tower")]
mod service;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use secure_download_core::{Body, Decision, Download, Gate, PROXY_PROOF, RequestHead};

pub use self::canary::{Canary, write_canaries};
pub use self::examined::outside_targets;
pub use self::token::DoctorToken;
use self::token::Lock;
use crate::AccelRedirect;
use crate::config::SPOOFABLE;

/// Every path of the doctor begins so.
pub const DOCTOR_PATH: &str = "/.secure-download-doctor";

/// Names the session in each request of one examination.
pub const DOCTOR_SESSION: HeaderName = HeaderName::from_static("x-secure-download-doctor");

/// Makes an answer's headers as long as a long name and a long policy do.
const PADDING: HeaderName = HeaderName::from_static("x-secure-download-padding");
const LONG: &str = match std::str::from_utf8(&[b'x'; 5000]) {
    Ok(text) => text,
    Err(_) => "",
};

/// Answers a deployment check. Mount it under [`DOCTOR_PATH`], inside the [`Guard`](crate::Guard) layer, where the
/// application's own layers see its answers as they see downloads.
///
/// Without a valid [`DoctorToken`] every answer is the same 404. With the feature `tower` it is a service:
///
#[cfg_attr(feature = "tower", doc = "```")]
#[cfg_attr(not(feature = "tower"), doc = "```text")]
/// # use secure_download_accel_redirect::{AccelRedirect, Dialect, Mapping, ProxySecret, Root};
/// # use secure_download_accel_redirect::doctor::{DOCTOR_PATH, Doctor, DoctorToken};
/// # use std::time::{Duration, SystemTime};
/// # fn mount(accel: AccelRedirect, token: String) -> Result<(), Box<dyn std::error::Error>> {
/// let token = DoctorToken::new(token, SystemTime::now() + Duration::from_secs(600))?;
/// let doctor = Doctor::new(&accel, token);
/// // In axum: `router.route_service(&format!("{DOCTOR_PATH}/{{*probe}}"), doctor)`.
/// # let _ = (DOCTOR_PATH, doctor);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Doctor {
    shared: Arc<Shared>,
}

struct Shared {
    accel: AccelRedirect,
    gate: Gate<(), Download>,
    lock: Lock,
    /// How often each canary was asked for in this session.
    calls: Mutex<HashMap<String, u64>>,
}

impl Doctor {
    /// A doctor of this strategy, opened once by `token`.
    #[must_use]
    pub fn new(accel: &AccelRedirect, token: DoctorToken) -> Self {
        let mut catalog = HashMap::new();
        for (index, root) in accel.mapping().roots().iter().enumerate() {
            for canary in Canary::ALL {
                if let Some(download) = root.canary(canary) {
                    catalog.insert(format!("{index}/{}", canary.id()), download);
                }
            }
        }
        let gate = Gate::builder(catalog)
            .authorizer(|(): &(), _: &Download| Decision::Allow)
            .strategy(accel.clone())
            .build();
        let shared = Shared { accel: accel.clone(), gate, lock: Lock::new(token), calls: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Answers one request, for frameworks that are not built on tower.
    pub async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
        self.shared.answer(method, path, headers).await.unwrap_or_else(|| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        })
    }
}

impl Shared {
    async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        let probe = path.strip_prefix(DOCTOR_PATH)?.strip_prefix('/')?;
        let session = headers.get(DOCTOR_SESSION)?;
        if probe == "open" {
            let token = headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")?;
            let opens = *method == Method::POST && self.lock.open(token, session.as_bytes());
            return opens.then(|| text(StatusCode::OK, examined::description(&self.accel)));
        }
        if !self.lock.admits(session.as_bytes()) || !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let head = RequestHead::new(method, headers);
        let (kind, rest) = probe.split_once('/').unwrap_or((probe, ""));
        match kind {
            "file" => {
                *self.calls().entry(rest.to_owned()).or_default() += 1;
                Some(self.gate.serve(&(), rest, &head).await)
            }
            "calls" => {
                let calls = self.calls().get(rest).copied().unwrap_or_default();
                Some(text(StatusCode::OK, calls.to_string()))
            }
            "plan" => Some(text(StatusCode::OK, self.plan(rest, headers).await)),
            "status" => {
                let status = rest.parse::<u16>().ok().filter(|code| matches!(code, 200 | 403 | 404 | 503))?;
                Some(text(StatusCode::from_u16(status).ok()?, format!("status {status}\n")))
            }
            "outside" => {
                let (root, target) = rest.split_once('/')?;
                let root = self.accel.mapping().roots().get(root.parse::<usize>().ok()?)?;
                let targets = outside_targets(self.accel.dialect(), root.location(), root.folder());
                Some(self.raw(StatusCode::OK, targets.get(target.parse::<usize>().ok()?)?))
            }
            "changed" => {
                let granted = self.gate.serve(&(), rest, &head).await;
                let target = granted.headers().get(self.accel.dialect().header())?;
                Some(self.raw(StatusCode::FORBIDDEN, target.to_str().ok()?))
            }
            "long" => {
                let mut granted = self.gate.serve(&(), rest, &head).await;
                granted.headers_mut().insert(PADDING, HeaderValue::from_static(LONG));
                Some(granted)
            }
            "echo" => Some(text(StatusCode::OK, self.echo(headers, &head))),
            _ => None,
        }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that no strategy would make: for a target outside, or under another status than 200.
    fn raw(&self, status: StatusCode, target: &str) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(mut target) = HeaderValue::from_str(target) {
            target.set_sensitive(true);
            response.headers_mut().insert(self.accel.dialect().header(), target);
        }
        response
    }

    /// The headers that a canary goes out with, a line for each.
    async fn plan(&self, id: &str, headers: &HeaderMap) -> String {
        let granted = self.gate.serve(&(), id, &RequestHead::new(&Method::GET, headers)).await;
        let hand_off = self.accel.dialect().header();
        let fields = granted.headers().iter().filter(|(name, _)| **name != hand_off);
        fields.filter_map(|(name, value)| Some(format!("{name}: {}\n", value.to_str().ok()?))).collect()
    }

    /// What of the proxy's language a request carried, and whether it carried the proof.
    fn echo(&self, headers: &HeaderMap, head: &RequestHead) -> String {
        let proof = match head.fields(PROXY_PROOF).count() {
            0 => "absent",
            1 if self.accel.is_proven_by(head) => "right",
            1 => "wrong",
            _ => "repeated",
        };
        let mut text = format!("proof: {proof}\n");
        for name in SPOOFABLE.iter().filter(|name| headers.contains_key(**name)) {
            text.push_str(&format!("spoofed: {name}\n"));
        }
        text
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl std::fmt::Debug for Doctor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doctor").field("accel", &self.shared.accel).finish_non_exhaustive()
    }
}
