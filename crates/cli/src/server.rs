//! The proxies' own programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use secure_download_accel_redirect::Dialect;

/// What the server itself says about a whole configuration file: `Err` with its words if it does not take it.
pub(crate) fn check(dialect: Dialect, config: &Path) -> Result<(), String> {
    let (program, arguments): (&str, &[&str]) = match dialect {
        Dialect::Nginx => ("nginx", &["-t", "-q", "-c"]),
        Dialect::Caddy => ("caddy", &["validate", "--adapter", "caddyfile", "--config"]),
        Dialect::Apache => ("apache2", &["-t", "-f"]),
        Dialect::Lighttpd => ("lighttpd", &["-tt", "-f"]),
    };
    let Some(path) = find(program) else {
        return Err(format!("{program} is not installed here, so the configuration cannot be checked"));
    };
    let output = Command::new(path)
        .args(arguments)
        .arg(config)
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{program} does not take the configuration:\n{}", String::from_utf8_lossy(&said).trim_end()))
}

/// A program on the path, or where servers are.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}
