//! `secure-download`: see the library of the same package.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

use std::process::ExitCode;

use clap::Parser as _;
use secure_download_cli::{Command, Outcome};

fn main() -> ExitCode {
    match Command::parse().run() {
        Ok(done) => {
            if let Some(note) = done.note {
                eprintln!("{note}");
            }
            print!("{}", done.output);
            match done.outcome {
                Outcome::Success => ExitCode::SUCCESS,
                Outcome::NotKnown => ExitCode::from(3),
                // Faults, and whatever else is added.
                _ => ExitCode::FAILURE,
            }
        }
        Err(problem) => {
            eprintln!("secure-download: {problem}");
            ExitCode::from(2)
        }
    }
}
