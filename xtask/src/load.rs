//! `cargo xtask load`: the demo under load. Figures depend on the machine, so nothing of this is part of the tests.

use std::process::Command;

use crate::command::{Failed, cargo, run, target};

pub(crate) fn readers() -> Result<(), Failed> {
    run(cargo().args(["build", "--release", "--package", "demo-axum", "--package", "benches", "--bins"]))?;
    let programs = target()?.join("release");
    run(Command::new(programs.join("readers")).arg(programs.join("demo-axum")))
}
