//! What the tests run beside Rust: the lists of packages in `tests/`, and what of them is missing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failed, find_program, root};

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registry {
    Debian,
    Python,
    Npm,
}

/// One package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) registry: Registry,
    /// As the registry's own installer takes it.
    pub(crate) name: String,
    /// By what its presence shows.
    sign: Sign,
}

#[derive(Debug)]
enum Sign {
    /// A program on the path.
    Program(String),
    /// A file.
    File(PathBuf),
    /// A file, and what another one, which describes the package, says.
    Release { file: PathBuf, manifest: PathBuf, says: String },
}

impl Package {
    pub(crate) fn is_missing(&self) -> bool {
        match &self.sign {
            Sign::Program(name) => find_program(name).is_none(),
            Sign::File(path) => !path.exists(),
            Sign::Release { file, manifest, says } => {
                !file.exists() || !fs::read_to_string(manifest).is_ok_and(|text| text.contains(says))
            }
        }
    }
}

/// Where packages of Python and npm are kept, apart from the system's own.
pub(crate) fn tools(registry: Registry) -> PathBuf {
    root().join("target/tools").join(match registry {
        Registry::Debian => "debian",
        Registry::Python => "python",
        Registry::Npm => "npm",
    })
}

/// Every package on the lists.
///
/// A line is a package and the program that it brings, or a file: an absolute path for Debian, one below the tools'
/// folder for the others. npm's packages may name a version: `package@1.2.3`. `#` starts a comment.
pub(crate) fn all() -> Result<Vec<Package>, Failed> {
    let mut packages = Vec::new();
    for (list, registry) in [
        ("tests/packages.txt", Registry::Debian),
        ("tests/python-packages.txt", Registry::Python),
        ("tests/npm-packages.txt", Registry::Npm),
    ] {
        let Ok(text) = fs::read_to_string(root().join(list)) else { continue };
        packages
            .extend(parse(registry, &text).map_err(|line| Failed(format!("{list}: cannot read `{line}`")))?);
    }
    Ok(packages)
}

fn parse(registry: Registry, text: &str) -> Result<Vec<Package>, String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (name, sign) = line.split_once(char::is_whitespace).ok_or(line)?;
            let sign = sign.trim();
            let sign = match registry {
                Registry::Debian if Path::new(sign).is_absolute() => Sign::File(sign.into()),
                Registry::Debian => Sign::Program(sign.to_owned()),
                Registry::Python => Sign::File(tools(registry).join(sign)),
                Registry::Npm => npm_sign(name, tools(registry).join(sign)),
            };
            Ok(Package { registry, name: name.to_owned(), sign })
        })
        .collect()
}

fn npm_sign(name: &str, file: PathBuf) -> Sign {
    match name.split_once('@') {
        Some((package, version)) if !package.is_empty() => Sign::Release {
            file,
            manifest: tools(Registry::Npm).join("node_modules").join(package).join("package.json"),
            says: format!("\"version\": \"{version}\""),
        },
        _ => Sign::File(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_packages_and_what_they_bring() {
        let text = "# servers\nnginx nginx\n\nmodule  /usr/lib/module.so # no program\n";
        let packages = parse(Registry::Debian, text).expect("a list");
        let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["nginx", "module"]);
        assert!(matches!(&packages[0].sign, Sign::Program(name) if name == "nginx"));
        assert!(matches!(&packages[1].sign, Sign::File(path) if path == Path::new("/usr/lib/module.so")));
        assert!(parse(Registry::Debian, "nginx").is_err());
        let missing = parse(Registry::Python, "no-such-package bin/none").expect("a list");
        assert!(missing[0].is_missing());
    }

    #[test]
    fn another_version_does_not_count() {
        let folder = std::env::temp_dir().join(format!("xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (file, manifest) = (folder.join("index.js"), folder.join("package.json"));
        fs::write(&file, "").expect("written");
        let mut packages = parse(Registry::Npm, "a@1.2.3 index.js\n@scope/a index.js").expect("a list");
        assert!(matches!(&packages[1].sign, Sign::File(_)));
        let Sign::Release { says, .. } = &packages[0].sign else { panic!("{packages:?}") };
        packages[0].sign = Sign::Release { file, manifest: manifest.clone(), says: says.clone() };
        for (text, is_missing) in
            [("{\n  \"version\": \"1.2.30\"\n}", true), ("{\n  \"version\": \"1.2.3\"\n}", false)]
        {
            fs::write(&manifest, text).expect("written");
            assert_eq!(packages[0].is_missing(), is_missing, "{text}");
        }
        fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn every_list_of_the_project_can_be_read() {
        all().expect("readable lists");
    }
}
