//! [`Command`]: the command line.

use clap::{Parser, Subcommand};

use crate::doctor::DoctorArgs;
use crate::proxy_config::ProxyConfigArgs;

/// Private file downloads through a reverse proxy: its configuration, and a check of it
#[derive(Debug, Parser)]
#[command(name = "secure-download", version)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the configuration of a reverse proxy that sends files for the application
    ProxyConfig(Box<ProxyConfigArgs>),
    /// Check a deployment from outside
    Doctor(DoctorArgs),
}

/// What a command has to say at its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct Done {
    /// For standard output.
    pub output: String,
    /// For standard error.
    pub note: Option<String>,
    /// What the exit status says.
    pub outcome: Outcome,
}

impl Done {
    pub(crate) fn new(output: impl Into<String>) -> Self {
        Self { output: output.into(), note: None, outcome: Outcome::Success }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Exit status 0.
    Success,
    /// A fault was found: exit status 1.
    Fault,
    /// No fault was found, and something is not known: exit status 3.
    NotKnown,
}

impl Command {
    /// Does what the command line says.
    ///
    /// # Errors
    /// One line that says what could not be done, and what to do about it.
    pub fn run(self) -> Result<Done, String> {
        match self.what {
            What::ProxyConfig(args) => args.run(),
            What::Doctor(args) => args.run(),
        }
    }
}
