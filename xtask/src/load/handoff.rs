//! `cargo xtask load handoff`: whole files per second through one nginx, handed off to it and streamed through it,
//! by ours and by tower-http's `ServeFile`.

use std::fs;
use std::path::Path;

use super::compare::{SIZES, Size, file_name, write_files};
use super::report::{self, Table, digits, median};
use super::server::{Server, free_address};
use super::wrk::Seen;
use crate::command::Failed;

const ROUNDS: usize = 3;

/// Of the variant `handoff`.
const ROUTES: [&str; 3] = ["files", "streamed", "served"];

pub(crate) fn run(programs: &Path, folder: &Path) -> Result<(), Failed> {
    let files = write_files(folder)?;
    let run = folder.join("handoff");
    fs::create_dir_all(&run).map_err(|error| Failed(format!("{}: {error}", run.display())))?;
    let address = free_address()?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let arguments = ["handoff", &text(&files), &address.to_string(), &text(&run)];
    let app = Server::start(&programs.join("compared"), &arguments)?;
    let nginx = Server::nginx(&run.join("nginx.conf"), address)?;

    let mut table = Table::new([
        "file",
        "handed off, requests/s",
        "streamed through",
        "ServeFile through",
        "handed off over streamed",
        "over ServeFile",
        "processor time of both, handed off over streamed",
        "over ServeFile",
    ]);
    for size in &SIZES {
        let mut runs: [Vec<Run>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (route, runs) in ROUTES.iter().zip(&mut runs) {
                runs.push(measure(&app, &nginx, route, size, folder)?);
            }
        }
        let [handed_off, streamed, served] = &runs;
        let rates = |runs: &[Run]| digits(median(runs.iter().map(|run| run.rate).collect()));
        let over = |others: &[Run], value: fn(&Run) -> f64| {
            let ratios = handed_off.iter().zip(others).map(|(one, other)| value(one) / value(other));
            digits(median(ratios.collect()))
        };
        table.row([
            size.name.to_owned(),
            rates(handed_off),
            rates(streamed),
            rates(served),
            over(streamed, |run| run.rate),
            over(served, |run| run.rate),
            over(streamed, |run| run.cost),
            over(served, |run| run.cost),
        ]);
    }
    println!("{table}");
    report::replace("handoff", &table.to_string())
}

struct Run {
    rate: f64,
    /// Processor time of both for a request.
    cost: f64,
}

fn measure(app: &Server, nginx: &Server, route: &str, size: &Size, folder: &Path) -> Result<Run, Failed> {
    let used = || Ok((app.processor_time()? + nginx.processor_time()?).as_secs_f64());
    let before = used()?;
    let url = format!("http://{}/{route}/{}", nginx.address(), file_name(size));
    let seen: Seen = size.load.run(folder, &url)?;
    let requests = seen.whole_files(size.bytes);
    Ok(Run { rate: requests / seen.seconds, cost: (used()? - before) / requests })
}
