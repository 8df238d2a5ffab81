//! Running other programs.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Why a command of this program failed, in a line or two.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root());
    command
}

/// What cargo knows of the workspace's own packages.
pub(crate) fn metadata() -> Result<Value, Failed> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&metadata).map_err(|error| Failed(format!("cargo metadata: {error}")))
}

/// The folder that cargo builds into.
pub(crate) fn target() -> Result<PathBuf, Failed> {
    Ok(root().join(metadata()?["target_directory"].as_str().unwrap_or("target")))
}

/// Says what is about to run, runs it, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failed> {
    announce(command);
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(Failed(format!("failed: {}", text(command)))) }
}

/// As [`run`], handing each line of standard output to `each` on its way. Says whether the command succeeded.
pub(crate) fn run_watched(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool, Failed> {
    announce(command);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| Failed(format!("cannot read what cargo prints: {error}")))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            each(&line);
        }
    }
    Ok(child.wait().map_err(|error| not_started(command, &error))?.success())
}

/// Standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(Failed(format!("failed: {}", text(command))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where a program is, searched as a shell does, and in the folders of servers.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

fn announce(command: &Command) {
    println!("\n$ {}", text(command));
}

fn text(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> Failed {
    Failed(format!("cannot run {}: {error}", command.get_program().to_string_lossy()))
}
