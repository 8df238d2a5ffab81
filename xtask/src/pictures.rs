//! `cargo xtask pictures`: the pictures of the demo's pages in `docs/pages`. How letters look depends on the machine's fonts
//! and on its Chromium, so nothing of this is part of the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Failed, cargo, find_program, root, run, target};
use crate::install;

pub(crate) fn take() -> Result<(), Failed> {
    install::ensure(false)?;
    if find_program("pngquant").is_none() {
        return Err(Failed("pngquant makes the pictures small: apt-get install pngquant".to_owned()));
    }
    run(cargo().args(["build", "--package", "demo-axum"]))?;
    let folder = root().join("docs/pages");
    for old in pictures_in(&folder)? {
        fs::remove_file(&old).map_err(|error| unusable(&old, &error))?;
    }
    run(Command::new("node")
        .arg(root().join("tests/browser/pictures.mjs"))
        .arg(target()?.join("debug/demo-axum"))
        .arg(&folder))?;
    run(Command::new("pngquant")
        .args(["--force", "--strip", "--speed", "1", "--ext", ".png", "64", "--"])
        .args(pictures_in(&folder)?))
}

fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let entries = fs::read_dir(folder).map_err(|error| unusable(folder, &error))?;
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    Ok(files.filter(|path| path.extension().is_some_and(|ending| ending == "png")).collect())
}

fn unusable(path: &Path, error: &std::io::Error) -> Failed {
    Failed(format!("cannot use {}: {error}", path.display()))
}
