//! The commands of `secure-download`.
//!
//! - `secure-download proxy-config` prints the configuration of a reverse proxy that fits the accel-redirect strategy, and
//!   has the server itself check it.
//! - `secure-download doctor` checks a deployment from outside: it asks through the proxy for canary files that
//!   the application hands off, and tells which mistakes fit what came back, each with the line that mends it. The
//!   application mounts [`Doctor`](secure_download_accel_redirect::doctor::Doctor) for it (the feature `doctor`).
//!
//! ```text
//! umask 077    # in a shell of its own: the configuration holds the secret
//! secure-download proxy-config --server nginx --root /_protected/media=/srv/media > /etc/nginx/sites-enabled/app
//! secure-download proxy-config --server caddy --bucket /_bucket=https://scans.s3.eu-central-1.amazonaws.com > Caddyfile
//! secure-download doctor --url https://files.example.com --token "$SECURE_DOWNLOAD_DOCTOR_TOKEN"
//! ```
//!
//! Exit status: 0 on success; 1 if `doctor` reports a fault, an unreachable site included; 2 if the command could not
//! start (wrong arguments, a file that cannot be read, a configuration that the server itself refuses with `--check`), its
//! reason on standard error; 3 if `doctor` reports no fault, and something that it could not determine.

mod bucket;
mod command;
mod doctor;
mod proxy_config;
mod root;
mod server;

pub use self::command::{Command, Done, Outcome};
pub use self::doctor::{Examination, Fault, Report, Row, Verdict};
