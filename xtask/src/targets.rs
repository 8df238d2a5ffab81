//! `cargo xtask targets`: libraries, command line and demos, checked for other systems.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::command::{self, Failed, cargo};

/// Systems that the tests do not run on.
const TARGETS: [&str; 5] = [
    "aarch64-apple-darwin",
    "armv7-unknown-linux-gnueabihf",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-freebsd",
    "x86_64-unknown-linux-musl",
];

/// What users build. The facade brings the libraries.
const PACKAGES: [&str; 5] =
    ["secure-download", "secure-download-conformance", "secure-download-cli", "demo-axum", "demo-actix"];

const NEEDS: &str = "\
    the standard library of each target. Either\n\
    - `rustup target add TARGET`, or\n\
    - its source: `rustup component add rust-src`, or Debian's packages `rustc`, `cargo` and `rust-src` of one version\n\
      (at least the version in Cargo.toml; a chroot made with `debootstrap sid` will do).";

/// Type-checks for every target whose name holds `text`, warnings being errors. Nothing is linked and no C is compiled, so no
/// other system's tools are needed.
pub(crate) fn check(text: &str) -> Result<(), Failed> {
    let targets: Vec<_> = TARGETS.into_iter().filter(|target| target.contains(text)).collect();
    if targets.is_empty() {
        return Err(Failed(format!("no target holds `{text}`: {}", TARGETS.join(", "))));
    }
    let tool = write_tool()?;
    let mut failed = Vec::new();
    for target in targets {
        let mut check = cargo();
        check.args(["check", "--quiet", "--locked", "--all-features", "--target", target]);
        check.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
        if !is_installed(target)? {
            if !has_source()? {
                return Err(Failed(format!("for {target} this needs {NEEDS}")));
            }
            // Building the standard library is for nightly compilers, unless they are told that it is meant so.
            check.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        }
        for name in ["CC", "CXX", "AR", "RANLIB"] {
            check.env(format!("{name}_{}", target.replace('-', "_")), &tool);
        }
        check.env("RUSTFLAGS", "-D warnings");
        if command::run(&mut check).is_err() {
            failed.push(target);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failed(format!("failed for {}", failed.join(", ")))) }
}

/// Stands for the C compilers and archivers: makes the files that are asked for, without content. A check links nothing.
const TOOL: &str = r#"#!/bin/sh
previous=
for argument; do
  case "$argument" in
    [-/][oO][uU][tT]:*) : > "${argument#*:}" ;;
    [-/]Fo*) : > "${argument#?Fo}" ;;
  esac
  if [ "$previous" = -o ]; then : > "$argument"; fi
  previous=$argument
done
"#;

fn write_tool() -> Result<PathBuf, Failed> {
    let path = command::target()?.join("xtask-no-c-compiler.sh");
    let written = std::fs::write(&path, TOOL)
        .and_then(|()| std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)));
    written.map_err(|error| Failed(format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

/// Whether the compiler that cargo runs has the standard library of `target`.
fn is_installed(target: &str) -> Result<bool, Failed> {
    let folder = command::output(rustc().args(["--print", "target-libdir", "--target", target]))?;
    let Ok(entries) = std::fs::read_dir(folder.trim()) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}

/// Whether the source of the standard library is there.
fn has_source() -> Result<bool, Failed> {
    let sysroot = command::output(rustc().args(["--print", "sysroot"]))?;
    let source = std::path::Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    Ok(source.is_file())
}

fn rustc() -> Command {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(command::root()).stdin(Stdio::null());
    rustc
}
