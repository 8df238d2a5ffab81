//! The commands of `secure-download`.
//!
//! - `secure-download proxy-config` prints the configuration of a reverse proxy that fits the accel-redirect strategy, and
//!   has the server itself check it.
//! - `secure-download doctor` checks a deployment from outside: it asks through the proxy for canary files that
//!   the application hands off, and tells which mistakes fit what came back, each with the line that mends it. The
//!   application mounts [`Doctor`](secure_download_accel_redirect::doctor::Doctor) for it (the feature `doctor`).
//!
//! ```text
//! secure-download proxy-config --server nginx --root /_protected/media=/srv/media > /etc/nginx/sites-enabled/app
//! secure-download proxy-config --server caddy --bucket /_bucket=https://scans.s3.eu-central-1.amazonaws.com > Caddyfile
//! secure-download doctor --url https://files.example.com --token "$SECURE_DOWNLOAD_DOCTOR_TOKEN"
//! ```
//!
//! Both leave 0 behind if all is well, 1 if something is wrong with what was checked, and 2 if it could not be checked.

mod bucket;
mod command;
mod doctor;
mod proxy_config;
mod root;
mod server;

pub use self::command::{Command, Done};
pub use self::doctor::{Examination, Fault, Report, Row, Verdict};
