//! `cargo xtask load compare`: what a request costs, by server and size of the file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::report::{Table, digits, median};
use super::server::{Server, free_address};
use super::wrk::{Load, Seen};
use super::{chart, report};
use crate::command::Failed;

/// In turn, so that what else the machine does weighs on all alike.
const ROUNDS: usize = 3;

/// A file and how it is asked for.
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) bytes: usize,
    pub(crate) load: Load,
}

pub(crate) const SIZES: [Size; 4] = [
    Size { name: "1 KB", bytes: 1 << 10, load: Load { connections: 16, seconds: 1 } },
    Size { name: "46 KB", bytes: 46_287, load: Load { connections: 16, seconds: 1 } },
    Size { name: "1 MB", bytes: 1 << 20, load: Load { connections: 8, seconds: 1 } },
    Size { name: "100 MB", bytes: 100 << 20, load: Load { connections: 2, seconds: 1 } },
];

/// A server: what it is called, and as which variant it is started.
struct Contender {
    name: &'static str,
    variant: &'static str,
    ours: bool,
}

const CONTENDERS: [Contender; 8] = [
    Contender { name: "Stream::local, axum", variant: "axum", ours: true },
    Contender { name: "Stream::local, actix", variant: "actix", ours: true },
    Contender { name: "nginx, sendfile", variant: "nginx", ours: false },
    Contender { name: "tower-http ServeFile", variant: "servefile", ours: false },
    Contender { name: "actix-files", variant: "actix-files", ours: false },
    Contender { name: "http-serve", variant: "http-serve", ours: false },
    Contender { name: "Stream::object_store, axum", variant: "object_store", ours: true },
    Contender { name: "an empty handler, axum", variant: "nothing", ours: false },
];

/// At most so much of another server's processor time for a request.
struct Target {
    ours: &'static str,
    theirs: &'static str,
    /// By size; none where nothing was promised.
    at_most: [Option<f64>; 4],
}

const TARGETS: [Target; 4] = [
    Target { ours: "axum", theirs: "servefile", at_most: [Some(0.35), Some(0.43), Some(0.68), Some(0.85)] },
    Target { ours: "axum", theirs: "nginx", at_most: [Some(1.2), Some(1.6), Some(1.8), None] },
    Target { ours: "actix", theirs: "actix-files", at_most: [Some(0.45), Some(0.5), Some(0.65), None] },
    Target { ours: "axum", theirs: "object_store", at_most: [Some(0.33); 4] },
];

/// One contender at one size, a run a round.
struct Cell {
    variant: &'static str,
    size: usize,
    runs: Vec<Run>,
}

#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Processor time of the server for a request, in microseconds.
    pub(crate) cost: f64,
    seen: Seen,
}

pub(crate) fn run(programs: &Path, folder: &Path, only: &[&str]) -> Result<(), Failed> {
    let files = write_files(folder)?;
    let mut servers = Vec::new();
    for contender in CONTENDERS.iter().filter(|one| only.is_empty() || only.contains(&one.variant)) {
        servers.push((contender, start(contender.variant, programs, folder, &files)?));
    }
    let mut cells = Vec::new();
    for (size, of) in SIZES.iter().enumerate() {
        // An empty handler sends no file of any size.
        let servers = servers.iter().filter(|(contender, _)| size == 0 || contender.variant != "nothing");
        let first = cells.len();
        cells.extend(servers.clone().map(|(contender, _)| Cell {
            variant: contender.variant,
            size,
            runs: Vec::new(),
        }));
        for round in 0..ROUNDS {
            for ((contender, server), cell) in servers.clone().zip(&mut cells[first..]) {
                let run = measure(server, of, folder)?;
                eprintln!("{:<8}{round} {:<28}{:>10.1} us", of.name, contender.name, run.cost);
                cell.runs.push(run);
            }
        }
    }
    let report = write_report(&cells);
    println!("{report}");
    if only.is_empty() {
        report::replace("compare", &report)?;
        chart::write("compare.svg", &panels(&cells))?;
    }
    Ok(())
}

/// The folder of the files, which are there.
pub(crate) fn write_files(folder: &Path) -> Result<PathBuf, Failed> {
    let folder = folder.join("files");
    let failed = |error| Failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(failed)?;
    for size in &SIZES {
        let path = folder.join(file_name(size));
        if fs::metadata(&path).map_or(0, |file| file.len()) != size.bytes as u64 {
            fs::write(path, vec![7; size.bytes]).map_err(failed)?;
        }
    }
    Ok(folder)
}

pub(crate) fn file_name(size: &Size) -> String {
    format!("{}.png", size.name.replace(' ', "-"))
}

/// A running variant of `compared`, or nginx.
pub(crate) fn start(variant: &str, programs: &Path, folder: &Path, files: &Path) -> Result<Server, Failed> {
    if variant == "nginx" {
        let address = free_address()?;
        return Server::nginx(&nginx_config(folder, files, &address.to_string())?, address);
    }
    let files = files.to_str().unwrap_or_default();
    Server::start(&programs.join("compared"), &[variant, files])
}

/// As Debian configures it, with one worker, no log, and connections as long-lived as those of the others.
fn nginx_config(folder: &Path, files: &Path, address: &str) -> Result<PathBuf, Failed> {
    let path = folder.join("nginx.conf");
    let (folder, files) = (folder.display(), files.display());
    let text = format!(
        "daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n\
         types {{ image/png png; }} server {{ listen {address}; location /files/ {{ alias {files}/; }} }} }}\n"
    );
    fs::write(&path, text).map_err(|error| Failed(format!("{}: {error}", path.display())))?;
    Ok(path)
}

pub(crate) fn measure(server: &Server, size: &Size, folder: &Path) -> Result<Run, Failed> {
    let before = server.processor_time()?;
    let url = format!("http://{}/files/{}", server.address(), file_name(size));
    let seen = size.load.run(folder, &url)?;
    let used = server.processor_time()? - before;
    Ok(Run { cost: used.as_secs_f64() * 1e6 / seen.whole_files(size.bytes), seen })
}

fn cell<'a>(cells: &'a [Cell], variant: &str, size: usize) -> Option<&'a Cell> {
    cells.iter().find(|cell| cell.variant == variant && cell.size == size)
}

fn of_runs(cell: &Cell, value: impl Fn(&Run) -> f64) -> f64 {
    median(cell.runs.iter().map(value).collect())
}

/// The median of the rounds' own ratios.
fn ratio(cells: &[Cell], ours: &str, theirs: &str, size: usize) -> Option<f64> {
    let (ours, theirs) = (cell(cells, ours, size)?, cell(cells, theirs, size)?);
    Some(median(ours.runs.iter().zip(&theirs.runs).map(|(ours, theirs)| ours.cost / theirs.cost).collect()))
}

fn write_report(cells: &[Cell]) -> String {
    let sizes = SIZES.each_ref().map(|size| size.name);
    let head = |first: &'static str| std::iter::once(first).chain(sizes);
    let mut ratios = Table::new(head("processor time of a request, over"));
    for target in &TARGETS {
        ratios.row(std::iter::once(format!("{} / {}", name(target.ours), name(target.theirs))).chain(
            (0..sizes.len()).map(|size| {
                let measured = ratio(cells, target.ours, target.theirs, size);
                let measured = measured.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
                match target.at_most[size] {
                    Some(most) => format!("{measured} (at most {most})"),
                    None => measured,
                }
            }),
        ));
    }
    let mut costs = Table::new(head("microseconds of processor time for a request"));
    let mut rates = Table::new(head("requests per second"));
    let mut times = Table::new(head("milliseconds at p50, p90, p99"));
    for contender in &CONTENDERS {
        if cell(cells, contender.variant, 0).is_none() {
            continue;
        }
        let line = |show: &dyn Fn(&Cell) -> String| {
            let cells = (0..sizes.len()).filter_map(|size| cell(cells, contender.variant, size));
            std::iter::once(contender.name.to_owned()).chain(cells.map(show)).collect::<Vec<_>>()
        };
        costs.row(line(&|cell| digits(of_runs(cell, |run| run.cost))));
        rates.row(line(&|cell| {
            digits(of_runs(cell, |run| run.seen.whole_files(SIZES[cell.size].bytes) / run.seen.seconds))
        }));
        times.row(line(&|cell| {
            let time = |value: fn(&Seen) -> f64| digits(of_runs(cell, |run| value(&run.seen)));
            format!("{}, {}, {}", time(|seen| seen.p50), time(|seen| seen.p90), time(|seen| seen.p99))
        }));
    }
    let mut text = String::new();
    let _ = write!(text, "{ratios}\n{costs}\n{rates}\n{times}");
    text
}

fn name(variant: &str) -> &str {
    CONTENDERS.iter().find(|one| one.variant == variant).map_or(variant, |one| one.name)
}

fn panels(cells: &[Cell]) -> Vec<chart::Panel> {
    let sizes = SIZES.iter().enumerate();
    sizes
        .map(|(size, of)| chart::Panel {
            title: format!("{}: processor time of a request, microseconds", of.name),
            bars: CONTENDERS
                .iter()
                .filter_map(|contender| {
                    let value = of_runs(cell(cells, contender.variant, size)?, |run| run.cost);
                    let name = contender.name.to_owned();
                    Some(chart::Bar { name, value, text: digits(value), ours: contender.ours })
                })
                .collect(),
        })
        .collect()
}
