//! The published crates, each with nothing but itself and with each of its features: a build of the whole workspace
//! unifies features and hides what one crate forgot to ask for.

use crate::command::{Failed, cargo, metadata, run};

pub(crate) fn check_each() -> Result<(), Failed> {
    for (package, features) in published()? {
        let alone = std::iter::once(None).chain(features.iter().map(Some));
        for feature in alone {
            let mut command = cargo();
            command.args(["clippy", "--quiet", "--package", &package, "--no-default-features"]);
            if let Some(feature) = feature {
                command.args(["--features", feature]);
            }
            run(command.args(["--", "-D", "warnings"]))?;
        }
    }
    Ok(())
}

/// Every package that may be published, and its features.
pub(crate) fn published() -> Result<Vec<(String, Vec<String>)>, Failed> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages
        // `publish = false` is an empty list of registries.
        .filter(|package| package["publish"].is_null())
        .filter_map(|package| {
            let name = package["name"].as_str()?.to_owned();
            let features = package["features"].as_object()?.keys().filter(|name| *name != "default");
            Some((name, features.cloned().collect()))
        })
        .collect())
}
