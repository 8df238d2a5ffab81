//! `cargo xtask load`: servers under load. Figures depend on the machine, so nothing of this is part of the tests.

mod chart;
mod cold;
mod compare;
mod handoff;
mod report;
mod scaling;
mod server;
mod wrk;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{Failed, cargo, find_program, run, target};

/// What the load is made with, and what it is compared with.
const PROGRAMS: [&str; 3] = ["nginx", "taskset", "wrk"];

/// Many slow readers of one file.
pub(crate) fn readers() -> Result<(), Failed> {
    let programs = build(&["--package", "demo-axum"])?;
    run(Command::new(programs.join("readers")).arg(programs.join("demo-axum")))
}

/// Servers beside each other; those named, or all.
pub(crate) fn compare(only: &[&str]) -> Result<(), Failed> {
    check_programs()?;
    compare::run(&build(&[])?, &folder()?, only)
}

/// Files handed off to nginx, and streamed through it.
pub(crate) fn handoff() -> Result<(), Failed> {
    check_programs()?;
    handoff::run(&build(&[])?, &folder()?)
}

/// Small requests beside downloads that the disk has to be asked for.
pub(crate) fn cold() -> Result<(), Failed> {
    check_programs()?;
    cold::run(&build(&[])?, &folder()?)
}

/// The cost of a request beside many rows and many idle downloads.
pub(crate) fn scaling() -> Result<(), Failed> {
    check_programs()?;
    scaling::run(&build(&[])?, &folder()?)
}

fn check_programs() -> Result<(), Failed> {
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|name| find_program(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failed(format!(
        "not installed: {}\n`apt-get install nginx-light util-linux wrk` brings them",
        missing.join(", ")
    )))
}

/// Where the programs are, built: those of the benches, and more.
fn build(more: &[&str]) -> Result<PathBuf, Failed> {
    run(cargo().args(["build", "--release", "--bins", "--package", "benches"]).args(more))?;
    Ok(target()?.join("release"))
}

/// A folder for files and configurations, which any user may read: nginx's workers are not root.
fn folder() -> Result<PathBuf, Failed> {
    let folder = target()?.join("load");
    fs::create_dir_all(&folder).map_err(|error| Failed(format!("{}: {error}", folder.display())))?;
    Ok(folder)
}
