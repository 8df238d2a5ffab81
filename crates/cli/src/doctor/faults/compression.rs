//! Faults of compressors that take files.

use secure_download_accel_redirect::Dialect;

use super::{Fault, fault};

/// A file came compressed.
#[derive(Debug, Clone, Copy)]
pub(in crate::doctor) struct Compressed {
    /// Its name in `Content-Encoding`.
    pub(in crate::doctor) encoding: &'static str,
    /// A compressed neighbour of the file came in its place.
    pub(in crate::doctor) packed: bool,
}

/// The compressors that are on for files, with the line that turns each off; `location` is nginx's.
pub(in crate::doctor) fn compressed(dialect: Dialect, location: &str, found: &[Compressed]) -> Vec<Fault> {
    let mut lines: Vec<String> = found.iter().map(|found| off(dialect, location, *found)).collect();
    lines.dedup();
    let names: Vec<_> = found.iter().map(|found| found.encoding).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    if lines.is_empty() {
        lines.push("no compressor for the application's downloads".to_owned());
    }
    vec![
        fault(
            "compression",
            format!("the proxy compresses files{names}, which breaks ranges and entity tags"),
            lines.join("\n"),
        ),
        fault(
            "compression-in-front",
            "another server in front of the proxy compresses them",
            "no compression there for answers with `Content-Disposition`",
        ),
    ]
}

fn off(dialect: Dialect, location: &str, found: Compressed) -> String {
    match dialect {
        Dialect::Nginx => {
            let module = match found.encoding {
                "br" => "brotli",
                "zstd" => "zstd",
                _ => "gzip",
            };
            let kind = if found.packed { "_static" } else { "" };
            format!("{module}{kind} off;        # in `{location}`")
        }
        Dialect::Apache if found.encoding == "br" => {
            "SetEnv no-brotli 1        # in the virtual host".to_owned()
        }
        Dialect::Apache => "SetEnv no-gzip 1        # in the virtual host".to_owned(),
        Dialect::Caddy if found.packed => {
            "precompressed ...        # not in the hand-off's file_server".to_owned()
        }
        Dialect::Caddy => {
            format!(
                "encode {}        # take it out of the site, or match only paths without files",
                found.encoding
            )
        }
        Dialect::Lighttpd => "deflate.mimetypes = ()        # for the application".to_owned(),
    }
}
