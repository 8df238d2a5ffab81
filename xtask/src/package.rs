//! What would be published: each package made, and a project of somebody else's built from them.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::command::{Failed, cargo, metadata, root, run, target};
use crate::features::published;

/// A program as the README shows it, with every part named that a feature brings.
const CONSUMER: &str = r#"//! Built from the packages alone.

use std::collections::HashMap;

use secure_download::{
    AccelRedirect, Decision, Download, FirstOf, Gate, Presign, Stream, axum::download, links::Links, observe::JsonLines,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _ = std::any::type_name::<(AccelRedirect, FirstOf, Presign, Links)>();
    let _ = secure_download_conformance::strategy::samples();
    let gate = Gate::builder(HashMap::<String, Download>::new())
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(Stream::local(".")?)
        .observer(JsonLines::new(std::io::stderr()))
        .build();
    let _ = download::<(), ()>(gate);
    Ok(())
}
"#;

pub(crate) fn check() -> Result<(), Failed> {
    let packages: Vec<String> = published()?.into_iter().map(|(name, _)| name).collect();
    let mut package = cargo();
    // The project that is built from them says more than each one by itself.
    package.args(["package", "--no-verify", "--allow-dirty", "--quiet"]);
    for name in &packages {
        package.args(["--package", name]);
    }
    run(&mut package)?;
    let folder = target()?.join("consumer");
    let _ = fs::remove_dir_all(&folder);
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&folder))
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| Failed(format!("{}: {error}", path.display())))
    };
    let version = version()?;
    let mut manifest = format!(
        "[package]\nname = \"consumer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         secure-download = {{ version = \"{version}\", features = [\"accel-redirect\", \"axum\", \"links\", \
         \"observe-json\", \"presign\"] }}\nsecure-download-cli = \"{version}\"\n\
         secure-download-conformance = {{ version = \"{version}\", features = [\"links\"] }}\n\n[patch.crates-io]\n"
    );
    for name in &packages {
        let _ = writeln!(manifest, "{name} = {{ path = \"packages/{name}-{version}\" }}");
    }
    write("Cargo.toml", &manifest)?;
    write("src/main.rs", CONSUMER)?;
    // What the workspace has locked, so that nothing else is fetched.
    let locked = fs::read_to_string(root().join("Cargo.lock"))
        .map_err(|error| Failed(format!("Cargo.lock: {error}")))?;
    write("Cargo.lock", &locked)?;
    fs::create_dir_all(folder.join("packages")).map_err(|error| Failed(error.to_string()))?;
    for name in &packages {
        let archive = target()?.join(format!("package/{name}-{version}.crate"));
        run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder.join("packages")))?;
    }
    run(cargo().current_dir(&folder).env("CARGO_TARGET_DIR", target()?).args(["build", "--quiet"]))
}

fn version() -> Result<String, Failed> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut versions = packages.filter(|package| package["name"] == "secure-download");
    let version = versions.next().and_then(|package| package["version"].as_str().map(str::to_owned));
    version.ok_or_else(|| Failed("no package secure-download".to_owned()))
}
