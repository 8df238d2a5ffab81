//! The public surface of each published library, written down: `docs/api/PACKAGE.txt`, and which other crates stand in it.
//!
//! A change of the surface shows as a difference in review. `cargo xtask api` writes it down anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::command::{Failed, cargo, output, root, target};
use crate::features::published;

/// Crates whose types may stand in a public signature: a new major version of one is a new major version here.
const FOREIGN: [&str; 19] = [
    "actix_http",
    "actix_service",
    "actix_web",
    "alloc",
    "async_trait",
    "axum",
    "axum_core",
    "bytes",
    "core",
    "futures_core",
    "http",
    "http_body",
    "object_store",
    "redis",
    "std",
    "tokio",
    "tower_layer",
    "tower_service",
    "zeroize",
];

/// Fails if a surface is not as it is written down; writes it down instead with `write`.
pub(crate) fn check(write: bool) -> Result<(), Failed> {
    let mut differing = Vec::new();
    for (package, _) in published()? {
        // A program has no surface.
        if package.ends_with("-cli") {
            continue;
        }
        let surface = surface(&package)?;
        let foreign = foreign(&surface);
        if !foreign.is_empty() {
            return Err(Failed(format!(
                "{package} shows types of {foreign:?}, which FOREIGN does not allow"
            )));
        }
        let path = written(&package);
        if write {
            let folder = path.parent().unwrap_or(root());
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, &surface))
                .map_err(|error| Failed(format!("{}: {error}", path.display())))?;
        } else if fs::read_to_string(&path).unwrap_or_default() != surface {
            differing.push(package);
        }
    }
    if differing.is_empty() {
        Ok(())
    } else {
        Err(Failed(format!(
            "the public surface of {} has changed: `cargo xtask api`, and look at the difference",
            differing.join(", ")
        )))
    }
}

fn written(package: &str) -> PathBuf {
    root().join("docs/api").join(format!("{package}.txt"))
}

/// One line for each public item, without what every type derives.
fn surface(package: &str) -> Result<String, Failed> {
    // The format is not stable; the compiler and the reader are pinned together.
    output(
        cargo()
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["rustdoc", "--quiet", "--package", package, "--lib", "--all-features", "--"])
            .args(["-Zunstable-options", "--output-format", "json", "--cap-lints", "warn"]),
    )?;
    let json = target()?.join("doc").join(format!("{}.json", package.replace('-', "_")));
    let surface = output(cargo().args(["public-api", "-sss", "--rustdoc-json"]).arg(json));
    surface.map_err(|Failed(why)| {
        Failed(format!("{why}\ncargo-public-api is needed: cargo install --locked cargo-public-api"))
    })
}

/// The crates that paths in a surface begin with, but for our own and those that may stand there.
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
            if begins && lower && !name.starts_with("secure_download") && !FOREIGN.contains(&name) {
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
        assert_eq!(foreign(surface).into_iter().collect::<Vec<_>>(), ["hmac", "time"]);
    }
}
