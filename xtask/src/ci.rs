//! `cargo xtask ci`: what a release needs besides passing tests.

use crate::command::{self, Failed, cargo};
use crate::{api, features, package};

pub(crate) fn run() -> Result<(), Failed> {
    deny()?;
    features::check_each()?;
    api::check(false)?;
    package::check()
}

fn deny() -> Result<(), Failed> {
    let check = |what: &[&str]| {
        command::run(cargo().args(["deny", "--all-features", "check", "--hide-inclusion-graph"]).args(what))
    };
    check(&["licenses", "bans", "sources"])?;
    match command::run(cargo().args(["deny", "fetch", "db"])) {
        Ok(()) => check(&["advisories"]),
        // A machine without a way to the database; whoever releases has one.
        Err(Failed(why)) => {
            println!("advisories were not checked: {why}");
            Ok(())
        }
    }
}
