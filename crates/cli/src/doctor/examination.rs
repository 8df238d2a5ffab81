//! [`Examination`]: every probe of one deployment, in order.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use secure_download_accel_redirect::Dialect;
use serde_json::Value;

use super::bare;
use super::client::{Client, Heard, Seen};
use super::faults::{self, Fault, Suspects};
use super::masked::Masked;
use super::report::{Report, Row, Verdict};
use super::stranger;

/// nginx, Apache and lighttpd wait for a minute unless their configuration says otherwise.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// What the application says of itself.
struct Described {
    dialect: Option<Dialect>,
    roots: Vec<Suspects>,
    masked: Option<Masked>,
    signer: bool,
}

impl Described {
    fn read(described: &Value) -> Option<Self> {
        let dialect = match described["dialect"].as_str() {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        let text = |value: &Value| Some(value.as_str()?.to_owned());
        let mut roots = Vec::new();
        for root in described["roots"].as_array()? {
            let (location, folder) = (text(&root["location"])?, text(&root["folder"])?);
            roots.push(Suspects { dialect: dialect?, location, folder });
        }
        let masked = match &described["masked"] {
            Value::Null => None,
            masked => Some(Masked {
                dialect: dialect?,
                location: text(&masked["location"])?,
                origin: text(&masked["origin"])?,
            }),
        };
        Some(Self { dialect, roots, masked, signer: described["signer"].as_bool()? })
    }
}

/// One examination of one deployment. It spends its token.
#[derive(Debug)]
pub struct Examination {
    client: Client,
    token: String,
    head_timeout: Duration,
    rows: Vec<Row>,
}

impl Examination {
    /// Of the application that clients reach at `url`: `https://files.example`, or `https://example.com/files` for one below
    /// a path.
    ///
    /// # Errors
    /// If `url` is not an HTTP URL.
    pub fn new(url: &str, token: &str) -> Result<Self, String> {
        Self::trusting(url, token, &[])
    }

    /// The same for a site whose certificate an authority in one of these PEM files has signed, or one of the system's.
    ///
    /// # Errors
    /// If `url` is not an HTTP URL, or a file cannot be read.
    pub fn trusting(url: &str, token: &str, authorities: &[PathBuf]) -> Result<Self, String> {
        let client = Client::new(url, authorities)?;
        Ok(Self { client, token: token.to_owned(), head_timeout: HEAD_TIMEOUT, rows: Vec::new() })
    }

    /// How long the site may wait for the rest of a request's head; 90 seconds by default. Zero leaves this probe out.
    #[must_use]
    pub fn head_timeout(mut self, longest: Duration) -> Self {
        self.head_timeout = longest;
        self
    }

    /// Runs every probe.
    #[must_use]
    pub fn run(mut self) -> Report {
        match self.open() {
            Ok(described) => self.examine(&described),
            Err(verdict) => self.row("reach the application", None, verdict),
        }
        Report::new(self.rows)
    }

    pub(super) fn row(&mut self, probe: &'static str, root: Option<&str>, verdict: Verdict) {
        self.rows.push(Row { probe, root: root.map(str::to_owned), verdict });
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn open(&self) -> Result<Described, Verdict> {
        let heard = self.client.open(&self.token);
        let described = heard.told().and_then(|text| Described::read(&serde_json::from_str(&text).ok()?));
        described.ok_or_else(|| match &heard.answer {
            Ok(seen) => Verdict::Faults { seen: seen.describe(), faults: faults::unreached(seen) },
            Err(error) => Verdict::Faults { seen: error.clone(), faults: vec![faults::unreachable(error)] },
        })
    }

    fn examine(&mut self, described: &Described) {
        self.row("reach the application", None, Verdict::Pass);
        let waiting = self.unfinished_head();
        if let Some(dialect) = described.dialect {
            self.examine_proxy(dialect, described);
        }
        if described.signer {
            self.signed();
        }
        let verdict = match waiting {
            None => Verdict::DoesNotApply("left out".to_owned()),
            Some(waiting) => match waiting.join() {
                Ok(head) => head.verdict(described.dialect),
                Err(_) => Verdict::NotKnown("the probe failed".to_owned()),
            },
        };
        self.row("end of unfinished heads", None, verdict);
    }

    /// Runs beside the other probes, since it takes as long as the site waits.
    fn unfinished_head(&self) -> Option<thread::JoinHandle<bare::Head>> {
        let longest = self.head_timeout;
        if longest.is_zero() {
            return None;
        }
        let (wire, site) = (self.client.connect(), self.client.site().clone());
        Some(thread::spawn(move || bare::unfinished_head(wire, &site, longest)))
    }

    fn examine_proxy(&mut self, dialect: Dialect, described: &Described) {
        let proven = self.requests(dialect);
        self.statuses(dialect);
        if let Some(masked) = &described.masked {
            self.masked(masked, proven);
        }
        for (index, root) in described.roots.iter().enumerate() {
            self.folder(index, root, proven);
        }
    }

    /// Right, or wrong if the application was asked, or not known if something in front of it answered.
    pub(super) fn judge(
        &self,
        heard: &Heard,
        right: bool,
        faults: impl FnOnce(&Seen) -> Vec<Fault>,
    ) -> Verdict {
        if right {
            return Verdict::Pass;
        }
        match self.client.arrived(heard) {
            Some(0) => Verdict::NotKnown(stranger::introduce(&heard.answer)),
            None => Verdict::NotKnown("the application does not answer any more".to_owned()),
            Some(_) => match &heard.answer {
                Ok(seen) => fault(seen.describe(), faults(seen)),
                Err(error) => fault(error.clone(), faults(&Seen::nothing())),
            },
        }
    }

    /// As [`Examination::judge`], for an answer that is right only if the application was asked for it.
    pub(super) fn judge_refusal(
        &self,
        heard: &Heard,
        right: bool,
        faults: impl FnOnce(&Seen) -> Vec<Fault>,
    ) -> Verdict {
        let arrived = right && matches!(self.client.arrived(heard), Some(1..));
        if right && !arrived {
            return Verdict::NotKnown(stranger::introduce(&heard.answer));
        }
        self.judge(heard, arrived, faults)
    }
}

pub(super) fn fault(seen: String, mut faults: Vec<Fault>) -> Verdict {
    faults.truncate(3);
    Verdict::Faults { seen, faults }
}

pub(super) fn not_known(why: impl Into<String>) -> Verdict {
    Verdict::NotKnown(why.into())
}
