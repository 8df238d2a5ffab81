//! [`Examination::run`]: every probe, in order.

use std::thread;

use secure_download_accel_redirect::Dialect;
use serde_json::Value;

use super::bare;
use super::examination::Examination;
use super::faults::{self, Suspects};
use super::masked::Masked;
use super::report::{Report, Verdict, fault, not_known};
use super::stranger;

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

impl Examination {
    /// Runs every probe.
    #[must_use]
    pub fn run(mut self) -> Report {
        match self.open() {
            Ok(described) => self.examine(&described),
            Err(verdict) => self.row("reach the application", None, verdict),
        }
        Report::new(self.rows)
    }

    fn open(&self) -> Result<Described, Verdict> {
        let heard = self.client().open(&self.token);
        let described = heard.told().and_then(|text| Described::read(&serde_json::from_str(&text).ok()?));
        described.ok_or_else(|| match &heard.answer {
            Ok(seen) => Verdict::Faults { seen: seen.describe(), faults: faults::unreached(seen) },
            Err(error) => Verdict::Faults { seen: error.clone(), faults: vec![faults::unreachable(error)] },
        })
    }

    fn examine(&mut self, described: &Described) {
        self.row("reach the application", None, Verdict::Pass);
        let verdict = self.fresh(described);
        self.row("no cache", None, verdict);
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

    /// Whether the application is asked each time. What comes from a cache says nothing, so no other row would.
    fn fresh(&self, described: &Described) -> Verdict {
        let mut probes = vec!["echo".to_owned(), "status/200".to_owned(), "status/404".to_owned()];
        probes.extend((0..described.roots.len()).map(|root| format!("file/{root}/plain")));
        probes.extend(described.masked.iter().map(|_| "file/bucket/plain".to_owned()));
        let mut verdict = Verdict::Pass;
        for probe in probes {
            let first = self.client().probe(&probe, &[]);
            let again = self.client().probe(&probe, &[]);
            let same =
                first.is(|first| again.is(|again| first.status == again.status && first.body == again.body));
            match self.client().arrived(&again) {
                Some(1..) => {}
                Some(0) if same && matches!(self.client().arrived(&first), Some(1..)) => {
                    let seen = format!("{probe} is answered twice and the application asked once");
                    return fault(seen, vec![faults::cached(described.dialect)]);
                }
                _ => verdict = not_known(stranger::introduce(&again.answer)),
            }
        }
        verdict
    }

    /// Runs beside the other probes, since it takes as long as the site waits.
    fn unfinished_head(&self) -> Option<thread::JoinHandle<bare::Head>> {
        let longest = self.head_timeout;
        if longest.is_zero() {
            return None;
        }
        let (wire, site) = (self.client().connect(), self.client().site().clone());
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
}
