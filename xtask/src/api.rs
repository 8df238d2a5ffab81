//! The public surface of each published library, written down: `docs/api/PACKAGE.txt`, and which other crates stand in it,
//! `docs/api/external-types.txt`.
//!
//! A change of either shows as a difference in review. `cargo xtask api` writes them down anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::command::{Failed, cargo, output, root, target};
use crate::features::published;

/// Where the crates are written down whose types stand in public signatures: a new major version of one of them is a new
/// major version here.
const EXTERNAL: &str = "external-types";

/// Fails if a surface is not as it is written down; writes it down instead with `write`.
pub(crate) fn check(write: bool) -> Result<(), Failed> {
    let mut external = String::new();
    let mut snapshots = Vec::new();
    for (package, _) in published()? {
        // A program has no surface.
        if package.ends_with("-cli") {
            continue;
        }
        let surface = surface(&package)?;
        let crates = foreign(&surface).into_iter().collect::<Vec<_>>().join(", ");
        external.push_str(format!("{package}: {crates}").trim_end());
        external.push('\n');
        snapshots.push((package, surface));
    }
    snapshots.push((EXTERNAL.to_owned(), external));
    let mut differing = Vec::new();
    for (name, text) in snapshots {
        let path = written(&name);
        if write {
            let folder = path.parent().unwrap_or(root());
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, &text))
                .map_err(|error| Failed(format!("{}: {error}", path.display())))?;
        } else if fs::read_to_string(&path).unwrap_or_default() != text {
            differing.push(name);
        }
    }
    if differing.is_empty() {
        Ok(())
    } else {
        Err(Failed(format!(
            "docs/api is not as the code is: {}. `cargo xtask api`, and look at the difference",
            differing.join(", ")
        )))
    }
}

fn written(name: &str) -> PathBuf {
    root().join("docs/api").join(format!("{name}.txt"))
}

/// One line for each public item, without what every type derives.
fn surface(package: &str) -> Result<String, Failed> {
    let library = package.replace('-', "_");
    // The format is not stable; the compiler and the reader are pinned together. For this library alone: dependencies that
    // see an unstable compiler ask for what other builds into the same folder do not have.
    output(
        cargo()
            .env("RUSTC_BOOTSTRAP", &library)
            .args(["rustdoc", "--quiet", "--package", package, "--lib", "--all-features", "--"])
            .args(["-Zunstable-options", "--output-format", "json", "--cap-lints", "warn"]),
    )?;
    let json = target()?.join("doc").join(format!("{library}.json"));
    let surface = output(cargo().args(["public-api", "-sss", "--rustdoc-json"]).arg(json));
    surface.map_err(|Failed(why)| {
        Failed(format!("{why}\ncargo-public-api is needed: cargo install --locked cargo-public-api"))
    })
}

/// The crates that paths in a surface begin with, but for our own and those that every compiler brings.
fn foreign(surface: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut crates = BTreeSet::new();
    // What macros leave behind is nobody's to name.
    for surface in surface.lines().filter(|line| !line.contains("::__private")) {
        for (at, _) in surface.match_indices("::") {
            let start = surface[..at].rfind(|c: char| !is_name(c)).map_or(0, |before| before + 1);
            let name = &surface[start..at];
            let begins = !surface[..start].ends_with("::");
            // Types begin with a capital: `Self::Error` is no crate.
            let lower = name.starts_with(|c: char| c.is_ascii_lowercase());
            let ours = name.starts_with("secure_download") || matches!(name, "alloc" | "core" | "std");
            if begins && lower && !ours {
                crates.insert(name);
            }
        }
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_crates_are_those_that_paths_begin_with() {
        let surface = "pub fn secure_download_core::f(http::Method, &core::time::Duration) -> Self::Error\n\
            pub fn secure_download_core::g(time::Date, Option<hmac::Mac>)\n";
        assert_eq!(foreign(surface).into_iter().collect::<Vec<_>>(), ["hmac", "http", "time"]);
    }
}
