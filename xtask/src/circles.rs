//! No ring of imports: in each crate at most two files import each other.
//!
//! A path is resolved through re-exports to the file that defines the item, so `use crate::Thing` leads where `Thing` is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::command::root;

type Module = Vec<String>;

/// The files of one crate, by module path.
#[derive(Default)]
struct Crate {
    /// Names that a module imports or re-exports, and what they lead to.
    names: BTreeMap<Module, BTreeMap<String, Module>>,
    /// What a module uses; re-exports aside.
    uses: BTreeMap<Module, BTreeSet<Module>>,
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut texts = BTreeMap::new();
        collect(source, &mut Vec::new(), &mut texts);
        let mut found = Self::default();
        for (module, text) in &texts {
            let code = code(text);
            let (names, uses) = (
                found.names.entry(module.clone()).or_default(),
                found.uses.entry(module.clone()).or_default(),
            );
            for (public, tree) in declarations(&code) {
                for (path, name) in expanded(tree.trim()) {
                    let Some(target) = absolute(module, &path, &texts) else { continue };
                    names.insert(name, target.clone());
                    if !public {
                        uses.insert(target);
                    }
                }
            }
            let paths = code.split("crate::").skip(1).filter(|rest| !rest.starts_with('{'));
            uses.extend(paths.map(|rest| {
                let end =
                    rest.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).unwrap_or(rest.len());
                rest[..end].split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
            }));
        }
        found
    }

    /// The module whose file defines what `path` names.
    fn defining(&self, path: &[String], steps: usize) -> Option<Module> {
        let length = (0..=path.len()).rev().find(|length| self.names.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        match rest.first().and_then(|name| self.names[module].get(name)) {
            Some(target) if steps > 0 => {
                let further: Vec<String> = target.iter().chain(&rest[1..]).cloned().collect();
                self.defining(&further, steps - 1)
            }
            _ => Some(module.to_vec()),
        }
    }

    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let of = |(module, uses): (&Module, &BTreeSet<Module>)| {
            let targets = uses.iter().filter_map(|path| self.defining(path, 8));
            (module.clone(), targets.filter(|target| target != module).collect())
        };
        self.uses.iter().map(of).collect()
    }
}

fn collect(folder: &Path, module: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        module.push(name.clone());
        if entry.is_dir() {
            collect(&entry, module, texts);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let own = matches!(name.as_str(), "lib" | "main" | "mod");
            let path = if own { module[..module.len() - 1].to_vec() } else { module.clone() };
            texts.insert(path, fs::read_to_string(&entry).expect("text"));
        }
        module.pop();
    }
}

/// Without comments and without the tests at the end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        },
    )
}

/// Each `use` of the file itself, and whether it re-exports.
fn declarations(code: &str) -> Vec<(bool, &str)> {
    let starts = code.match_indices("use ").filter_map(|(at, _)| {
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        let public = line.starts_with("pub");
        (line.is_empty() || public).then_some((public, at + 4))
    });
    starts.filter_map(|(public, at)| Some((public, code[at..].split(';').next()?))).collect()
}

/// The paths of a tree, each with the name that it brings.
fn expanded(tree: &str) -> Vec<(Module, String)> {
    let Some((before, inside)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, tree));
        let mut path: Module = path.split("::").map(|part| part.trim().to_owned()).collect();
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = name.rsplit("::").find(|part| *part != "self").unwrap_or_default().trim().to_owned();
        let name = if name.is_empty() { path.last().cloned().unwrap_or_default() } else { name };
        return vec![(path, name)];
    };
    let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut branches, mut start) = (0_i32, Vec::new(), 0);
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branches.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.push(&inside[start..]);
    let branches = branches.into_iter().map(str::trim).filter(|branch| !branch.is_empty());
    branches.flat_map(|branch| expanded(&format!("{}{branch}", before.trim()))).collect()
}

/// From the crate's root; none for what another crate has.
fn absolute(module: &[String], path: &[String], texts: &BTreeMap<Module, String>) -> Option<Module> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let within = |base: &[String], rest: &[String]| base.iter().chain(rest).cloned().collect();
    match path.first().map(String::as_str) {
        Some("crate") => Some(path[1..].to_vec()),
        Some("self") => Some(within(module, &path[1..])),
        Some("super") => Some(within(&module[..module.len().checked_sub(ups)?], &path[ups..])),
        Some(name) => {
            let child: Module = within(module, &[name.to_owned()]);
            texts.contains_key(&child).then(|| within(module, path))
        }
        None => None,
    }
}

/// Every module that `from` leads to.
fn reached(imports: &BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<Module> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(module) = next.pop() {
        for target in imports.get(&module).into_iter().flatten() {
            if found.insert(target.clone()) {
                next.push(target.clone());
            }
        }
    }
    found
}

/// Rings of more than two files, as `a, b, c`.
fn rings(source: &Path) -> Vec<String> {
    let imports = Crate::read(source).imports();
    let reach: BTreeMap<&Module, BTreeSet<Module>> =
        imports.keys().map(|module| (module, reached(&imports, module))).collect();
    let ring = |module: &Module| -> BTreeSet<Module> {
        let back =
            reach[module].iter().filter(|other| reach.get(other).is_some_and(|far| far.contains(module)));
        back.cloned().collect()
    };
    let rings: BTreeSet<BTreeSet<Module>> = imports.keys().map(ring).filter(|ring| ring.len() > 2).collect();
    let text =
        |ring: BTreeSet<Module>| ring.iter().map(|module| module.join("::")).collect::<Vec<_>>().join(", ");
    rings.into_iter().map(text).collect()
}

#[test]
fn no_ring_of_imports_has_more_than_two_files() {
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        let source = entry.expect("an entry").path().join("src");
        let rings = rings(&source);
        assert!(rings.is_empty(), "{}: {}", source.display(), rings.join("; "));
    }
}

#[test]
fn a_ring_is_found_through_re_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use self::{a::A, b::B};\npub use c::C;\n");
    write("a.rs", "use std::fmt;\nuse crate::{B, C};\n// use crate::b::B;\npub struct A;\n");
    write("b.rs", "use super::c::{self, C as D};\npub struct B;\n");
    write("c.rs", "pub struct C;\n#[cfg(test)]\nmod tests {\n    use crate::A;\n}\n");
    assert!(rings(folder.path()).is_empty());
    write("c.rs", "fn c() -> crate::A { crate::A }\npub struct C;\n");
    assert_eq!(rings(folder.path()), ["a, b, c"]);
}
