//! `secure-download doctor`.

mod bucket;
mod client;
mod faults;
mod keep_alive;
mod probes;
mod report;

use std::path::PathBuf;

use clap::Args;
use secure_download_accel_redirect::doctor::write_canaries;

pub use self::faults::Fault;
pub use self::probes::Examination;
pub use self::report::{Report, Row, Verdict};
use crate::Done;

const TOKEN_VARIABLE: &str = "SECURE_DOWNLOAD_DOCTOR_TOKEN";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Where clients reach the application: scheme, host and port of the proxy
    #[arg(long, required_unless_present = "write_canaries")]
    url: Option<String>,
    /// The token with which the application mounted the doctor; it opens it once. Without it the variable
    /// `SECURE_DOWNLOAD_DOCTOR_TOKEN` is read
    #[arg(long)]
    token: Option<String>,
    /// Write the canary files into this folder of the mapping first; may be repeated
    #[arg(long, value_name = "FOLDER")]
    write_canaries: Vec<PathBuf>,
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
            return Ok(Done { output: "the canaries are written\n".to_owned(), note: None, success: true });
        };
        let token = match self.token {
            Some(token) => token,
            None => std::env::var(TOKEN_VARIABLE)
                .map_err(|_| format!("no token: give --token, or set {TOKEN_VARIABLE}"))?,
        };
        let report = Examination::new(&url, &token)?.run();
        let output = if self.json { report.to_json() } else { report.to_string() };
        Ok(Done { output, note: None, success: report.is_healthy() })
    }
}
