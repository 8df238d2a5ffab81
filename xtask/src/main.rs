//! The project's own commands: `cargo xtask help`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever runs it")]

mod api;
mod ci;
#[cfg(test)]
mod circles;
mod command;
mod features;
mod fuzz;
mod held_by;
mod install;
// What the system tests look for in logs, looked for in everything that tests print.
#[path = "../../tests/src/leaks.rs"]
#[expect(unreachable_pub, reason = "it is public there")]
mod leaks;
mod load;
mod mutants;
mod package;
mod pictures;
mod requirements;
mod targets;
mod test;

use std::process::ExitCode;

use self::command::Failed;

const HELP: &str = "\
cargo xtask COMMAND

  test [--install]   every check and every test; ends with `N passed, N failed`
                     --install fetches the programs that the tests run and that are missing
  ci [--without-advisories]
                     what a release needs besides: each feature alone, licences, sources and advisories, public surfaces,
                     packages and a project built from them; needs cargo-deny and cargo-public-api, and the network for
                     the database of advisories
  targets [TEXT]     type-checks libraries, command line and demos for macOS, Windows, FreeBSD, musl and 32-bit ARM,
                     warnings being errors; those targets that hold TEXT. Needs their standard libraries or its source
  api                writes the public surfaces down in docs/api
  mutants [TEXT]     takes each defence of xtask/mutants.txt out, and shows that its test fails; those that hold TEXT
  fuzz [SECONDS [TEXT]]
                     each fuzz target for 60 seconds, or as many as are named; needs cargo-fuzz
  load compare       servers beside each other: processor time, requests per second, latency; needs nginx and wrk
  load handoff       files handed off to nginx, and streamed through it
  load cold          small requests beside downloads that the disk has to be asked for
  load scaling       a request beside many rows and many idle downloads
  load readers       thousands of slow readers of one large file on the demo
  pictures           takes the pictures of the demo's pages in docs/pages anew; needs pngquant
  help               this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["test"] => test::run(false),
        ["test", "--install"] => test::run(true),
        ["ci"] => ci::run(true),
        ["ci", "--without-advisories"] => ci::run(false),
        ["targets"] => targets::check(""),
        ["targets", text] => targets::check(text),
        ["api"] => api::check(true),
        ["mutants"] => mutants::run(""),
        ["mutants", text] => mutants::run(text),
        ["fuzz"] => fuzz::run_each(60, ""),
        ["fuzz", seconds] => number(seconds).and_then(|seconds| fuzz::run_each(seconds, "")),
        ["fuzz", seconds, text] => number(seconds).and_then(|seconds| fuzz::run_each(seconds, text)),
        ["load", "compare", ref only @ ..] => load::compare(only),
        ["load", "handoff"] => load::handoff(),
        ["load", "cold"] => load::cold(),
        ["load", "scaling"] => load::scaling(),
        ["load", "readers"] => load::readers(),
        ["pictures"] => pictures::take(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(Failed(format!("no such command\n\n{HELP}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> Result<u32, Failed> {
    text.parse().map_err(|_| Failed(format!("`{text}` is no number")))
}
