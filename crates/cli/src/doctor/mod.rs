//! `secure-download doctor`.

mod bare;
mod client;
mod direct;
mod examination;
mod faults;
mod folder;
mod masked;
mod report;
mod requests;
mod run;
mod signed;
mod site;
mod stranger;
mod trust;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secure_download_accel_redirect::doctor::write_canaries;

pub use self::examination::Examination;
pub use self::faults::Fault;
pub use self::report::{Report, Row, Verdict};
use crate::{Done, Outcome};

const TOKEN_VARIABLE: &str = "SECURE_DOWNLOAD_DOCTOR_TOKEN";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Where clients reach the application: scheme, host and port of the proxy, and the application's path if it has one
    #[arg(long, required_unless_present = "write_canaries")]
    url: Option<String>,
    /// The token with which the application mounted the doctor; it opens it once. Without it the variable
    /// `SECURE_DOWNLOAD_DOCTOR_TOKEN` is read
    #[arg(long)]
    token: Option<String>,
    /// Write the canary files into this folder of the mapping first; may be repeated
    #[arg(long, value_name = "FOLDER")]
    write_canaries: Vec<PathBuf>,
    /// Accept the authorities in this PEM file beside the system's; may be repeated. `SSL_CERT_FILE` takes the place of the
    /// system's
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Wait so long for the site to end a request whose head stops half-way. 0 leaves this probe out
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    head_seconds: u16,
    /// Exit with 0 also if something is not known
    #[arg(long)]
    allow_unknown: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    pub(crate) fn run(self) -> Result<Done, String> {
        for folder in &self.write_canaries {
            write_canaries(folder)
                .map_err(|error| format!("cannot write canaries into {}: {error}", folder.display()))?;
        }
        let Some(url) = self.url else {
            return Ok(Done::new("the canaries are written\n"));
        };
        let token = match self.token {
            Some(token) => token,
            None => std::env::var(TOKEN_VARIABLE)
                .map_err(|_| format!("no token: give --token, or set {TOKEN_VARIABLE}"))?,
        };
        let examination = Examination::trusting(&url, &token, &self.ca)?;
        let report = examination.head_timeout(Duration::from_secs(self.head_seconds.into())).run();
        let output = if self.json { report.to_json() } else { report.to_string() };
        let outcome = if report.faults().next().is_some() {
            Outcome::Fault
        } else if report.has_unknown() && !self.allow_unknown {
            Outcome::NotKnown
        } else {
            Outcome::Success
        };
        Ok(Done { outcome, ..Done::new(output) })
    }
}
