//! The laws of a [`DeliveryStrategy`].
//!
//! | law | of |
//! |---|---|
//! | no strategy is asked without a grant | all |
//! | a refusal tells nothing | all |
//! | the client sees every header of the plan | all |
//! | HEAD is GET without its body | all |
//! | no shared cache may keep an answer | all |
//! | a key opens its own file and no other | all |
//! | an unknown volume or version is never served | all |
//! | what is not there is not found | those that send bytes |
//! | ranges are answered as RFC 9110 says | those that send bytes |
//! | conditions are answered as RFC 9110 says | those that send bytes |
//! | a body may be collected | those that send bytes |
//! | requests at the same time do not mix | all |
//! | a download that goes away leaves nothing behind | all |
//! | a hand-off is marked, sensitive and nothing else | those that hand off or redirect |
//! | nothing is handed off without proof of the proxy | those that hand off, given [`PROXY_PROOF`] by [`Laws::request_field`] |
//! | terms that cannot be kept are declined | those that hand off or redirect |
//! | no field goes beyond what a download needs | all |
//! | a failure tells the client nothing | all, given [`Laws::failing`] |
//! | no secret shows | all, given [`Laws::secret`] |
//!
//! That nothing can be delivered without a grant needs no law: it does not compile.
//!
//! What no law sees, and a test of your own should: whether the proxy or the store does as it is told, whether a rate is kept and
//! in which unit it is told, when a URL ends that says so in another way than the stores of this project, and whether a file that
//! changes in storage gets another entity tag.

mod cancel;
mod collected;
mod conditions;
mod elsewhere;
mod extra;
mod keys;
mod plan;
mod proof;
mod ranges;
mod refusals;
mod samples;
mod terms;
mod together;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use secure_download_core::{DeliveryStrategy, Download, FileKey, PROXY_PROOF, RequestHead};

pub(crate) use self::samples::ODD_KEYS;
pub use self::samples::{Sample, samples};
use crate::Broken;
use crate::law::{Docket, Verdict, ensure, storable_by_shared_caches};
use crate::site::{self, Answer, Site};

type Reads = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The laws of one strategy, to be run with [`Laws::check`].
///
/// ```
/// use secure_download_conformance::strategy::{Laws, samples};
/// # use secure_download_stream::Stream;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let folder = tempfile::tempdir()?;
/// for sample in samples() {
///     let path = folder.path().join(sample.key.as_str());
///     std::fs::create_dir_all(path.parent().expect("a folder"))?;
///     std::fs::write(path, &sample.bytes)?;
/// }
/// Laws::sends(Stream::local(folder.path())?).check().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use = "nothing is tried before `check`"]
pub struct Laws {
    kind: Kind,
    strategy: Arc<dyn DeliveryStrategy>,
    failing: Option<Arc<dyn DeliveryStrategy>>,
    request: HeaderMap,
    lacks: Box<dyn Fn(&FileKey) -> bool + Send + Sync>,
    reads: Box<Reads>,
    held: Option<Box<dyn Fn() -> usize + Send + Sync>>,
    patience: Duration,
    secrets: Vec<String>,
    printed: Vec<String>,
    ranges: bool,
    replays: bool,
    /// Everything that clients, except in fields marked sensitive, and logs were told.
    told: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sends,
    HandsOff,
    Redirects,
}

impl Laws {
    fn new(kind: Kind, strategy: impl DeliveryStrategy + 'static) -> Self {
        Self {
            kind,
            strategy: Arc::new(strategy),
            failing: None,
            request: HeaderMap::new(),
            lacks: Box::new(|_| false),
            reads: Box::new(unescape),
            held: None,
            patience: Duration::from_secs(10),
            secrets: Vec::new(),
            printed: Vec::new(),
            ranges: true,
            replays: false,
            told: Mutex::default(),
        }
    }

    /// A strategy that sends the bytes itself. Its storage holds the [`samples`].
    pub fn sends(strategy: impl DeliveryStrategy + 'static) -> Self {
        Self::new(Kind::Sends, strategy)
    }

    /// A strategy that makes a reverse proxy send them. Nothing needs to be in storage.
    pub fn hands_off(strategy: impl DeliveryStrategy + 'static) -> Self {
        Self::new(Kind::HandsOff, strategy)
    }

    /// A strategy that sends the client elsewhere. Nothing needs to be in storage.
    pub fn redirects(strategy: impl DeliveryStrategy + 'static) -> Self {
        Self::new(Kind::Redirects, strategy)
    }

    /// A field that every request carries, such as the proof that it came through a proxy. One that
    /// [`RequestHead`] does not let through has no effect. What is named [`PROXY_PROOF`] is also left out, doubled and changed,
    /// and then nothing may be handed off.
    pub fn request_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request.append(name, value);
        self
    }

    /// Keys that the storage, or the proxy or the store that is sent to, cannot hold. They must be refused.
    pub fn cannot_hold(mut self, lacks: impl Fn(&FileKey) -> bool + Send + Sync + 'static) -> Self {
        self.lacks = Box::new(lacks);
        self
    }

    /// How the proxy reads the target of a hand-off: the name of the file that it opens, which ends with the key. Without it,
    /// the target is a path of a URI whose escapes are resolved once.
    pub fn proxy_reads(mut self, reads: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.reads = Box::new(reads);
        self
    }

    /// How much the strategy holds for downloads now: descriptors, connections, places. Zero once all of them are gone.
    pub fn held(mut self, held: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    /// How long what runs in the background may take to let go of what is held, and a body to give its next chunk to a
    /// consumer that keeps all of them; ten seconds unless it is set.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same strategy over storage that fails.
    pub fn failing(mut self, strategy: impl DeliveryStrategy + 'static) -> Self {
        self.failing = Some(Arc::new(strategy));
        self
    }

    /// A text that neither clients nor logs may see: a key, a password, a place in storage. The fields of an answer that
    /// are marked sensitive are for the proxy or the client alone, and may hold it.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// What the strategy prints of itself, such as `format!("{strategy:?}")`, to be searched for the secrets.
    pub fn printed(mut self, text: impl Into<String>) -> Self {
        self.printed.push(text.into());
        self
    }

    /// For strategies that send whole files only. `Range` must then change nothing.
    pub fn without_ranges(mut self) -> Self {
        self.ranges = false;
        self
    }

    /// For strategies that redirect grants of limited uses too, to URLs that can be used again, because somebody
    /// allowed it.
    pub fn replays_limited_grants(mut self) -> Self {
        self.replays = true;
        self
    }

    /// Tries every law.
    ///
    /// # Panics
    /// If laws are broken, with the name of each.
    pub async fn check(self) {
        let name = self.strategy.name();
        if let Err(broken) = self.verify().await {
            panic!("the strategy `{name}` breaks laws\n{broken}");
        }
    }

    /// Tries every law, with what is broken as a value.
    ///
    /// # Errors
    /// The laws that are broken.
    pub async fn verify(self) -> Result<(), Broken> {
        let mut docket = Docket::default();
        docket.note("no strategy is asked without a grant", refusals::unasked(&self).await);
        docket.note("a refusal tells nothing", refusals::uniform(&self).await);
        docket.note("the client sees every header of the plan", plan::parity(&self).await);
        docket.note("HEAD is GET without its body", plan::head(&self).await);
        docket.note("a key opens its own file and no other", keys::own(&self).await);
        docket.note("an unknown volume or version is never served", keys::volumes(&self).await);
        if self.kind == Kind::Sends {
            docket.note("what is not there is not found", refusals::missing(&self).await);
            docket.note("ranges are answered as RFC 9110 says", ranges::table(&self).await);
            docket.note("conditions are answered as RFC 9110 says", conditions::table(&self).await);
            docket.note("a body may be collected", collected::whole(&self).await);
        } else {
            docket.note("a hand-off is marked, sensitive and nothing else", elsewhere::marked(&self).await);
            docket.note("terms that cannot be kept are declined", terms::kept(&self).await);
        }
        docket.note("requests at the same time do not mix", together::together(&self).await);
        if let (Kind::HandsOff, Some(proof)) = (self.kind, self.request.get(PROXY_PROOF)) {
            docket
                .note("nothing is handed off without proof of the proxy", proof::proven(&self, proof).await);
        }
        docket.note("a download that goes away leaves nothing behind", cancel::gone(&self).await);
        if let Some(failing) = &self.failing {
            docket.note("a failure tells the client nothing", refusals::failing(&self, failing).await);
        }
        docket.note("no field goes beyond what a download needs", self.nothing_was_needless());
        docket.note("no shared cache may keep an answer", self.nothing_was_storable());
        docket.note("no secret shows", self.no_secret_shows());
        docket.close()
    }

    fn site(&self, known: Download) -> Site {
        Site::new(Arc::clone(&self.strategy), known)
    }

    fn head(&self, method: &Method, fields: &[(HeaderName, &str)]) -> RequestHead {
        site::head(method, &self.request, fields)
    }

    /// Whether a target opens the file of this key.
    fn opens(&self, target: &str, key: &FileKey) -> bool {
        let name = (self.reads)(target);
        name.is_some_and(|name| {
            name.strip_suffix(key.as_str()).is_some_and(|place| place.is_empty() || place.ends_with('/'))
        })
    }

    /// Takes note of an answer for the laws about all of them.
    fn saw(&self, answer: &Answer) {
        let mut told = site::lock(&self.told);
        if storable_by_shared_caches(&answer.headers) {
            told.push(format!("{STORABLE}{} {:?}", answer.status, answer.headers));
        }
        if let Some(name) = extra::needless(self.kind, answer) {
            told.push(format!("{NEEDLESS}{} carries {name}", answer.status));
        }
        if self.secrets.is_empty() {
            return;
        }
        for (name, value) in answer.headers.iter().filter(|(_, value)| !value.is_sensitive()) {
            told.push(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
        if answer.delivery.is_none() && !answer.status.is_success() {
            told.push(String::from_utf8_lossy(&answer.body).into_owned());
        }
    }

    /// Takes note of what logs were told.
    fn logged(&self, site: &Site) {
        if !self.secrets.is_empty() {
            site::lock(&self.told).extend(site.told());
        }
    }

    fn nothing_was_needless(&self) -> Verdict {
        let told = site::lock(&self.told);
        let needless = told.iter().find_map(|text| text.strip_prefix(NEEDLESS));
        needless.map_or(Ok(()), |answer| Err(answer.to_owned()))
    }

    fn nothing_was_storable(&self) -> Verdict {
        let told = site::lock(&self.told);
        let storable = told.iter().find_map(|text| text.strip_prefix(STORABLE));
        storable.map_or(Ok(()), |answer| Err(format!("this may be kept: {answer}")))
    }

    fn no_secret_shows(&self) -> Verdict {
        let told = site::lock(&self.told);
        for text in told.iter().chain(&self.printed) {
            for secret in &self.secrets {
                ensure!(
                    !text.contains(secret.as_str()),
                    "a secret stands in: {}",
                    text.replace(secret, "***")
                );
            }
        }
        Ok(())
    }
}

/// Resolves the escapes of a URI's path, once.
fn unescape(target: &str) -> Option<String> {
    let is_path = target.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>[]\\^`{|}#".contains(&byte));
    is_path.then(|| percent_decode_str(target).decode_utf8().ok().map(Into::into)).flatten()
}

const NEEDLESS: &str = "needless: ";
const STORABLE: &str = "storable: ";

impl fmt::Debug for Laws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Laws")
            .field("kind", &self.kind)
            .field("strategy", &self.strategy.name())
            .finish_non_exhaustive()
    }
}

/// The sample of this name.
fn sample(key: &str) -> Result<Sample, String> {
    samples().into_iter().find(|sample| sample.key.as_str() == key).ok_or_else(|| format!("no sample {key}"))
}
