//! wrk: the client that makes the load.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::server::pinned;
use crate::command::{Failed, output};

/// Prints what it measured as one line of JSON, times in microseconds.
const SCRIPT: &str = r#"
done = function(summary, latency)
  io.write(string.format(
    '{"requests":%d,"bytes":%d,"micros":%d,"errors":%d,"p50":%d,"p90":%d,"p99":%d}\n',
    summary.requests, summary.bytes, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
"#;

/// One run of wrk, to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) seconds: u32,
}

/// What one run saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Whole answers.
    pub(crate) requests: f64,
    /// Of all answers, those that were not whole at the end too.
    pub(crate) bytes: f64,
    pub(crate) seconds: f64,
    /// Times from request to whole answer, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

impl Load {
    /// Asks for `url` over and over, from the second processor.
    ///
    /// # Errors
    /// If an answer was not of status 2xx or 3xx, or a connection failed.
    pub(crate) fn run(self, folder: &Path, url: &str) -> Result<Seen, Failed> {
        let script = script(folder)?;
        let mut wrk = pinned(1, Path::new("wrk"));
        wrk.arg("-t1").arg(format!("-c{}", self.connections)).arg(format!("-d{}s", self.seconds));
        wrk.args(["--timeout", "20s", "-s"]).arg(script).arg(url);
        let said = output(&mut wrk)?;
        let line = said.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
        let value: Value = serde_json::from_str(line)
            .map_err(|_| Failed(format!("wrk does not say what it saw: {said}")))?;
        let number = |name: &str| value[name].as_f64().unwrap_or_default();
        if number("requests") < 1.0 || number("errors") > 0.0 {
            return Err(Failed(format!("{url}: {line}")));
        }
        Ok(Seen {
            requests: number("requests"),
            bytes: number("bytes"),
            seconds: number("micros") / 1e6,
            p50: number("p50") / 1e3,
            p90: number("p90") / 1e3,
            p99: number("p99") / 1e3,
        })
    }
}

fn script(folder: &Path) -> Result<PathBuf, Failed> {
    let script = folder.join("wrk.lua");
    fs::write(&script, SCRIPT).map_err(|error| Failed(format!("{}: {error}", script.display())))?;
    Ok(script)
}

impl Seen {
    /// How many files of this size came, those that were under way at the end by their share.
    pub(crate) fn whole_files(&self, size: usize) -> f64 {
        // The heads count too, which matters for small files only, and there hardly any are under way.
        if size > 1 << 19 { self.bytes / size as f64 } else { self.requests }
    }
}
