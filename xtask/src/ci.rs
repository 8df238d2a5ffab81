//! `cargo xtask ci`: what a release needs besides passing tests.

use crate::command::{self, Failed, cargo};
use crate::{api, features, package};

/// `advisories`: whether the database of known vulnerabilities is fetched and asked. A machine without a way to it cannot.
pub(crate) fn run(advisories: bool) -> Result<(), Failed> {
    deny(advisories)?;
    features::check_each()?;
    api::check(false)?;
    package::check()?;
    let told = if advisories { "" } else { ", but for advisories, which were NOT checked" };
    println!("\neverything that a release needs is there{told}");
    Ok(())
}

fn deny(advisories: bool) -> Result<(), Failed> {
    let check = |what: &[&str]| {
        command::run(cargo().args(["deny", "--all-features", "check", "--hide-inclusion-graph"]).args(what))
    };
    check(&["licenses", "bans", "sources"])?;
    if advisories { check(&["advisories"]) } else { Ok(()) }
}
