//! The application's side of the doctor: fixed canaries that a deployment check asks for through the proxy.
//!
//! `secure-download doctor --url URL --token TOKEN` cannot see how a proxy is configured, only what comes of it. So the
//! application answers it, for a short while, with hand-offs of canary files, with status codes, and with
//! what it sees of a request. Nothing here names a file, a header or a status that a request could choose, except among those
//! fixed ones.

mod answers;
mod bucket;
mod canary;
mod examined;
#[cfg(feature = "tower")]
mod service;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue};
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use secure_download_core::{
    AUDIT_ID, Body, Decision, DeliveryStrategy, Download, Gate, PROXY_PROOF, RequestHead, UrlSigner,
};

pub use self::answers::DOCTOR_MARK;
use self::answers::{marked, padded, raw, text};
use self::bucket::{ShowUrl, Unsigned};
pub use self::canary::{Canary, write_canaries};
pub use self::examined::{DOCTOR_VISITOR, outside_targets};
pub use self::token::DoctorToken;
use self::token::Lock;
use crate::config::SPOOFABLE;
use crate::dialect::HAND_OFF;
use crate::{AccelRedirect, Dialect, MaskedBucket};

/// Every path of the doctor begins so.
pub const DOCTOR_PATH: &str = "/.secure-download-doctor";

/// Names the session in each request of one examination, then a dot and the number of the request: `SESSION.17`. The
/// application counts how often each number arrives, and answers `calls/17` with it.
pub const DOCTOR_SESSION: HeaderName = HeaderName::from_static("x-secure-download-doctor");

/// Highest number of a request in one session.
const MOST_REQUESTS: u32 = 9_999;

/// Answers a deployment check. Mount it under [`DOCTOR_PATH`], inside the [`Guard`](crate::Guard) layer, where the
/// application's own layers see its answers as they see downloads.
///
/// Without a valid [`DoctorToken`] every answer is the same 404. With the feature `tower` it is a service:
///
#[cfg_attr(feature = "tower", doc = "```")]
#[cfg_attr(not(feature = "tower"), doc = "```text")]
/// use secure_download_accel_redirect::AccelRedirect;
/// use secure_download_accel_redirect::doctor::{DOCTOR_PATH, Doctor, DoctorToken, write_canaries};
/// use std::time::{Duration, SystemTime};
///
/// # fn mount(accel: AccelRedirect, token: String) -> Result<(), Box<dyn std::error::Error>> {
/// // As `secure-download doctor --write-canaries FOLDER` does, for each folder of the mapping.
/// for root in accel.mapping().roots() {
///     write_canaries(root.folder().as_ref())?;
/// }
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
    accel: Option<AccelRedirect>,
    masked: Option<MaskedBucket>,
    /// Hands canaries in folders off.
    folders: Option<Gate<(), Download>>,
    /// Has the proxy fetch canaries in the bucket.
    bucket: Option<Gate<(), Download>>,
    /// Has the proxy fetch canaries in the bucket without a signature.
    unsigned: Option<Gate<(), Download>>,
    /// Shows signed URLs of canaries in the bucket.
    urls: Option<Gate<(), Download>>,
    lock: Lock,
    /// How often each request of this session arrived, by its number.
    calls: Mutex<HashMap<u32, u64>>,
}

impl Doctor {
    /// A doctor of hand-offs from folders, opened once by `token`.
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
        let mut shared = Shared::new(token);
        shared.folders = Some(gate(catalog, accel.clone()));
        shared.accel = Some(accel.clone());
        Self { shared: Arc::new(shared) }
    }

    /// A doctor of a bucket behind the proxy. The folder that
    /// [`write_canaries`] makes has to be copied into the bucket, under the same keys.
    #[must_use]
    pub fn for_bucket(masked: &MaskedBucket, token: DoctorToken) -> Self {
        let mut shared = Shared::new(token);
        let unsigned = masked.with_signer(Unsigned::new(masked.signer()));
        shared.bucket = Some(gate(bucket::canaries(), masked.clone()));
        shared.unsigned = Some(gate(bucket::canaries(), unsigned));
        shared.masked = Some(masked.clone());
        Self { shared: Arc::new(shared) }
    }

    /// A doctor of a store that clients are redirected to. It shows signed URLs of the canaries, which live for a minute,
    /// to the examination alone. They have to be there as for [`Doctor::for_bucket`].
    #[must_use]
    pub fn for_signer(signer: impl UrlSigner + 'static, token: DoctorToken) -> Self {
        let mut shared = Shared::new(token);
        shared.urls = Some(gate(bucket::canaries(), ShowUrl::new(Arc::new(signer))));
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

fn gate(catalog: HashMap<String, Download>, strategy: impl DeliveryStrategy + 'static) -> Gate<(), Download> {
    Gate::builder(catalog).authorizer(|(): &(), _: &Download| Decision::Allow).strategy(strategy).build()
}

impl Shared {
    fn new(token: DoctorToken) -> Self {
        Self {
            accel: None,
            masked: None,
            folders: None,
            bucket: None,
            unsigned: None,
            urls: None,
            lock: Lock::new(token),
            calls: Mutex::default(),
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        let accel = self.accel.as_ref().map(AccelRedirect::dialect);
        accel.or_else(|| self.masked.as_ref().map(MaskedBucket::dialect))
    }

    /// The canary's delivery, as the strategy makes it.
    async fn granted(&self, id: &str, head: &RequestHead) -> Option<Response<Body>> {
        let gate = if id.starts_with(bucket::ROOT) { &self.bucket } else { &self.folders };
        Some(gate.as_ref()?.serve(&(), id, head).await)
    }

    async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        let probe = path.strip_prefix(DOCTOR_PATH)?.strip_prefix('/')?;
        let (session, number) = numbered(headers.get(DOCTOR_SESSION)?)?;
        if probe == "open" {
            let token = headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")?;
            let opens = *method == Method::POST && self.lock.open(token, session);
            return opens.then(|| marked(&examined::description(self)));
        }
        if !self.lock.admits(session) || !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let head = RequestHead::new(method, headers);
        let (kind, rest) = probe.split_once('/').unwrap_or((probe, ""));
        if kind == "calls" {
            let calls = self.calls().get(&rest.parse().ok()?).copied().unwrap_or_default();
            return Some(marked(&calls.to_string()));
        }
        *self.calls().entry(number).or_default() += 1;
        match kind {
            "file" => self.granted(rest, &head).await,
            "plan" => Some(marked(&self.plan(rest, headers).await?)),
            "unsigned" => Some(self.unsigned.as_ref()?.serve(&(), rest, &head).await),
            "url" => Some(self.urls.as_ref()?.serve(&(), rest, &head).await),
            "status" => {
                let status = rest.parse::<u16>().ok().filter(|code| matches!(code, 200 | 403 | 404 | 503))?;
                Some(text(StatusCode::from_u16(status).ok()?, format!("status {status}\n")))
            }
            "outside" => {
                let (root, target) = rest.split_once('/')?;
                let accel = self.accel.as_ref()?;
                let root = accel.mapping().roots().get(root.parse::<usize>().ok()?)?;
                let targets = outside_targets(accel.dialect(), root.location(), root.folder());
                let target = HeaderValue::from_str(targets.get(target.parse::<usize>().ok()?)?).ok()?;
                Some(raw(StatusCode::OK, [(accel.dialect().header(), target)]))
            }
            "sibling" => {
                let (root, _) = rest.split_once('/')?;
                let accel = self.accel.as_ref()?;
                let root = accel.mapping().roots().get(root.parse::<usize>().ok()?)?;
                let target = HeaderValue::try_from(format!("{}-sibling/x", root.location())).ok()?;
                let mut granted = self.granted(rest, &head).await?;
                granted.headers_mut().insert(accel.dialect().header(), target);
                Some(granted)
            }
            "changed" => {
                let granted = self.granted(rest, &head).await?;
                let target = |name: HeaderName| Some((name.clone(), granted.headers().get(&name)?.clone()));
                Some(raw(StatusCode::FORBIDDEN, HAND_OFF.into_iter().filter_map(target)))
            }
            "long" if self.urls.is_some() => Some(padded(marked("long\n"))),
            "long" => Some(padded(self.granted(rest, &head).await?)),
            "echo" => Some(marked(&self.echo(headers, &head))),
            _ => None,
        }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<u32, u64>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The headers that a canary goes out with, a line for each.
    async fn plan(&self, id: &str, headers: &HeaderMap) -> Option<String> {
        let granted = self.granted(id, &RequestHead::new(&Method::GET, headers)).await?;
        // An audit id is another in each answer, and for the proxy alone.
        let fields =
            granted.headers().iter().filter(|(name, _)| !HAND_OFF.contains(name) && **name != AUDIT_ID);
        Some(fields.filter_map(|(name, value)| Some(format!("{name}: {}\n", value.to_str().ok()?))).collect())
    }

    fn is_proven_by(&self, head: &RequestHead) -> bool {
        self.accel.as_ref().is_some_and(|accel| accel.is_proven_by(head))
            || self.masked.as_ref().is_some_and(|masked| masked.is_proven_by(head))
    }

    /// What of the proxy's language a request carried, what made-up words about its visitor, and whether it carried the proof.
    fn echo(&self, headers: &HeaderMap, head: &RequestHead) -> String {
        let proof = match head.fields(PROXY_PROOF).count() {
            0 => "absent",
            1 if self.is_proven_by(head) => "right",
            1 => "wrong",
            _ => "repeated",
        };
        let mut text = format!("proof: {proof}\n");
        for name in SPOOFABLE.iter().filter(|name| headers.contains_key(**name)) {
            text.push_str(&format!("spoofed: {name}\n"));
        }
        let made_up = |name: &str, value: &str| {
            headers.get_all(name).iter().any(|line| line.to_str().is_ok_and(|line| line.contains(value)))
        };
        for (name, _) in DOCTOR_VISITOR.iter().filter(|(name, value)| made_up(name, value)) {
            text.push_str(&format!("made up: {name}\n"));
        }
        text
    }
}

/// The session that a request names, and the request's own number in it.
fn numbered(named: &HeaderValue) -> Option<(&[u8], u32)> {
    let (session, number) = named.to_str().ok()?.rsplit_once('.')?;
    let number = number.parse().ok().filter(|number| *number <= MOST_REQUESTS)?;
    Some((session.as_bytes(), number))
}

impl std::fmt::Debug for Doctor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doctor")
            .field("accel", &self.shared.accel)
            .field("masked", &self.shared.masked)
            .finish_non_exhaustive()
    }
}
