//! [`Examination`]: one deployment, and what its answers mean.

use std::path::PathBuf;
use std::time::Duration;

use super::client::{Client, Heard, Seen};
use super::faults::Fault;
use super::report::{Row, Verdict, fault};
use super::stranger;

/// nginx, Apache and lighttpd wait for a minute unless their configuration says otherwise.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// One examination of one deployment. It spends its token.
#[derive(Debug)]
pub struct Examination {
    client: Client,
    pub(super) token: String,
    pub(super) head_timeout: Duration,
    pub(super) rows: Vec<Row>,
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

    pub(super) fn row(&mut self, probe: &'static str, root: Option<&str>, verdict: Verdict) {
        self.rows.push(Row { probe, root: root.map(str::to_owned), verdict });
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
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
