//! `cargo xtask fuzz`: each fuzz target for a while.

use std::process::Command;

use crate::command::{Failed, cargo, output, root, run};

/// Runs each target whose name holds `only` for so many seconds.
pub(crate) fn run_each(seconds: u32, only: &str) -> Result<(), Failed> {
    let targets = output(fuzz().arg("list")).map_err(|Failed(why)| {
        Failed(format!("{why}\ncargo-fuzz is needed: cargo install --locked cargo-fuzz"))
    })?;
    let targets: Vec<&str> = targets.lines().filter(|target| target.contains(only)).collect();
    for target in &targets {
        run(fuzz().args([
            "run",
            target,
            "--",
            &format!("-max_total_time={seconds}"),
            "-print_final_stats=1",
        ]))?;
    }
    println!("\n{} targets, {seconds} seconds each, nothing found", targets.len());
    if targets.is_empty() { Err(Failed("no such target".to_owned())) } else { Ok(()) }
}

/// cargo-fuzz wants options of the compiler that are not stable; the stable one has them too.
fn fuzz() -> Command {
    let mut command = cargo();
    command.current_dir(root().join("fuzz")).env("RUSTC_BOOTSTRAP", "1").arg("fuzz");
    command
}
