//! `cargo xtask load scaling`: whether a request costs more beside many rows, and beside many idle downloads.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use super::compare::{SIZES, file_name, measure, write_files};
use super::report::{self, Table, digits, median};
use super::server::Server;
use crate::command::Failed;

const ROUNDS: usize = 5;

/// Rows in the catalog and downloads that are never read.
const CASES: [(&str, usize); 4] = [("1", 1), ("100000", 1), ("1", 1000), ("100000", 1000)];

pub(crate) fn run(programs: &Path, folder: &Path) -> Result<(), Failed> {
    let files = write_files(folder)?;
    let files = files.to_string_lossy();
    let mut table = Table::new([
        "strategy and framework",
        "rows",
        "idle downloads",
        "microseconds of processor time for 1 KB",
        "ratio to the first",
    ]);
    for (name, variant) in [("Stream::local, axum", "axum"), ("Stream::local, actix", "actix")] {
        let mut servers = Vec::new();
        for (rows, idle) in CASES {
            let server = Server::start(&programs.join("compared"), &[variant, &files, rows])?;
            let idle = (0..idle).map(|_| never_read(&server)).collect::<Result<Vec<_>, _>>()?;
            servers.push((server, idle, Vec::new()));
        }
        for _ in 0..ROUNDS {
            for (server, _, costs) in &mut servers {
                costs.push(measure(server, &SIZES[0], folder)?.cost);
            }
        }
        let first = servers[0].2.clone();
        for ((rows, idle), (_, _, costs)) in CASES.into_iter().zip(servers) {
            let ratios = costs.iter().zip(&first).map(|(cost, first)| cost / first).collect();
            let figures = [digits(median(costs)), digits(median(ratios))];
            table.row([name.to_owned(), rows.to_owned(), idle.to_string()].into_iter().chain(figures));
        }
    }
    println!("{table}");
    report::replace("scaling", &table.to_string())
}

/// A download that was asked for and is not taken.
fn never_read(server: &Server) -> Result<TcpStream, Failed> {
    let failed = |error: std::io::Error| Failed(format!("an idle download: {error}"));
    let mut stream = TcpStream::connect(server.address()).map_err(failed)?;
    let request = format!("GET /files/{} HTTP/1.1\r\nHost: test\r\n\r\n", file_name(&SIZES[3]));
    stream.write_all(request.as_bytes()).map_err(failed)?;
    Ok(stream)
}
