//! Installing what the tests run.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::command::{Failed, output, run};
use crate::requirements::{Package, Registry, all, tools};

/// Makes sure that everything is there. With `install`, what is missing is fetched.
pub(crate) fn ensure(install: bool) -> Result<(), Failed> {
    let missing = missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    let lines = listed(&missing);
    if !install {
        return Err(Failed(format!(
            "the tests need programs that are not installed:\n{lines}\n`cargo xtask test --install` installs them"
        )));
    }
    println!("installing:\n{lines}");
    // Debian's first: it brings the installers of the others.
    for registry in [Registry::Debian, Registry::Python, Registry::Npm] {
        let wanted = names(&missing, registry);
        if !wanted.is_empty() {
            match registry {
                Registry::Debian => apt(&wanted)?,
                // These remove what is in their folders and not named.
                Registry::Python => pip(&names(&all()?, registry))?,
                Registry::Npm => npm(&names(&all()?, registry))?,
            }
        }
    }
    match self::missing()? {
        still if still.is_empty() => Ok(()),
        still => Err(Failed(format!("installed, and still missing:\n{}", listed(&still)))),
    }
}

fn names(packages: &[Package], registry: Registry) -> Vec<&str> {
    let these = packages.iter().filter(|package| package.registry == registry);
    these.map(|package| package.name.as_str()).collect()
}

fn missing() -> Result<Vec<Package>, Failed> {
    Ok(all()?.into_iter().filter(Package::is_missing).collect())
}

fn listed(packages: &[Package]) -> String {
    let line = |package: &Package| format!("  {} ({:?})\n", package.name, package.registry);
    packages.iter().map(line).collect()
}

fn apt(packages: &[&str]) -> Result<(), Failed> {
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        return Err(Failed(format!(
            "not root; please run\n  sudo apt-get install --no-install-recommends {}",
            packages.join(" ")
        )));
    }
    let _no_servers =
        NoServers::begin().map_err(|error| Failed(format!("cannot write {POLICY}: {error}")))?;
    run(Command::new("apt-get").args(["-q", "update"]))?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "install", "--yes", "--no-install-recommends"])
        .args(packages))
}

fn pip(packages: &[&str]) -> Result<(), Failed> {
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
        .arg(tools(Registry::Python))
        .args(packages))
}

fn npm(packages: &[&str]) -> Result<(), Failed> {
    let folder = tools(Registry::Npm);
    fs::create_dir_all(&folder).map_err(|error| Failed(format!("cannot make the tools' folder: {error}")))?;
    run(Command::new("npm")
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder)
        .args(packages))
}

/// Debian asks this program whether a server may start when its package is installed (invoke-rc.d(8)).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// While it lives, installed servers are not started: the tests start their own, on their own ports.
struct NoServers {
    before: Option<(Vec<u8>, fs::Permissions)>,
}

impl NoServers {
    fn begin() -> io::Result<Self> {
        let policy = Path::new(POLICY);
        let before = match fs::read(policy) {
            Ok(text) => Some((text, fs::metadata(policy)?.permissions())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        fs::write(policy, "#!/bin/sh\nexit 101\n")?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(Self { before })
    }
}

impl Drop for NoServers {
    fn drop(&mut self) {
        let restored = match self.before.take() {
            Some((text, permissions)) => {
                fs::write(POLICY, text).and_then(|()| fs::set_permissions(POLICY, permissions))
            }
            None => fs::remove_file(POLICY),
        };
        if let Err(error) = restored {
            eprintln!("xtask: {POLICY} is not as it was before: {error}");
        }
    }
}
