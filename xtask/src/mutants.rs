//! `cargo xtask mutants`: each defence taken out in turn, and the test that notices.
//!
//! Everything happens in a work tree of its own at the last commit, so whatever ends it, the checkout is as it was.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Failed, cargo, output, root, target};
use crate::held_by::TestName;

/// No test takes longer. A mutant may make its test wait for ever, which is noticed too.
const LONGEST: Duration = Duration::from_secs(600);

const LIST: &str = "xtask/mutants.txt";

/// One defence that is taken out.
#[derive(Debug)]
struct Mutant {
    name: String,
    attack: String,
    file: String,
    test: String,
    /// What stands in the file, and what takes its place.
    changes: Vec<(String, String)>,
}

/// How a mutant fared.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The named test failed, or did not end.
    Noticed,
    /// The named test passed: the defence is not held.
    Survived,
    /// The named test fails without a change too, so nothing was shown.
    NoTest,
    /// It does not compile, so nothing was shown.
    NoMutant(String),
}

pub(crate) fn run(only: &str) -> Result<(), Failed> {
    let mut mutants: Vec<Mutant> = read(root())?
        .into_iter()
        .filter(|mutant| mutant.name.contains(only) || mutant.attack.contains(only))
        .collect();
    // Neighbours share what was built.
    mutants.sort_by(|one, other| (&one.file, &one.test).cmp(&(&other.file, &other.test)));
    let changed = output(Command::new("git").current_dir(root()).args(["status", "--porcelain"]))?;
    if !changed.trim().is_empty() {
        println!("not committed, so not in what is tried:\n{changed}");
    }
    let tree = WorkTree::new()?;
    let mut tests: Vec<&str> = mutants.iter().map(|mutant| mutant.test.as_str()).collect();
    tests.sort_unstable();
    tests.dedup();
    println!("{} tests pass without a change?", tests.len());
    let mut failing = Vec::new();
    for test in tests {
        match tree.try_test(test)? {
            Fate::Survived => {}
            Fate::NoMutant(why) => return Err(Failed(format!("{test} cannot be built:\n{why}"))),
            Fate::Noticed | Fate::NoTest => {
                println!("  fails without a change: {test}");
                failing.push(test);
            }
        }
    }
    let mut rows = Vec::new();
    for mutant in &mutants {
        let fate = if failing.contains(&mutant.test.as_str()) {
            Fate::NoTest
        } else {
            tree.with(mutant, || tree.try_test(&mutant.test))?
        };
        println!("  {:<10} {}", word(&fate), mutant.name);
        if let Fate::NoMutant(why) = &fate {
            println!("{why}");
        }
        rows.push((mutant, fate));
    }
    println!("\n| attack | taken out | test | |\n|---|---|---|---|");
    for (mutant, fate) in &rows {
        println!("| {} | {} | `{}` | {} |", mutant.attack, mutant.name, mutant.test, word(fate));
    }
    let noticed = rows.iter().filter(|(_, fate)| *fate == Fate::Noticed).count();
    println!("\n{noticed} of {} noticed", rows.len());
    if noticed == rows.len() && noticed > 0 {
        Ok(())
    } else {
        Err(Failed("not every defence was shown to be held by its test".to_owned()))
    }
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Noticed => "noticed",
        Fate::Survived => "SURVIVED",
        Fate::NoTest => "NO TEST",
        Fate::NoMutant(_) => "NO MUTANT",
    }
}

/// A checkout of the last commit, removed when dropped. One that was left behind is replaced.
struct WorkTree {
    folder: PathBuf,
}

impl WorkTree {
    fn new() -> Result<Self, Failed> {
        let tree = Self { folder: target()?.join("mutants") };
        tree.remove();
        output(
            Command::new("git")
                .current_dir(root())
                .args(["worktree", "add", "--detach", "--force", "--quiet"])
                .arg(&tree.folder)
                .arg("HEAD"),
        )?;
        // What `cargo xtask test --install` put beside the checkout.
        let folder = tree.folder.join("target");
        let linked = fs::create_dir_all(&folder)
            .and_then(|()| std::os::unix::fs::symlink(root().join("target/tools"), folder.join("tools")));
        linked.map_err(|error| Failed(format!("cannot link the tools: {error}")))?;
        Ok(tree)
    }

    fn remove(&self) {
        let mut remove = Command::new("git");
        remove.current_dir(root()).args(["worktree", "remove", "--force"]).arg(&self.folder);
        // There may be none.
        let _ = remove.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Runs `work` with the mutant in place.
    fn with<T>(&self, mutant: &Mutant, work: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
        let path = self.folder.join(&mutant.file);
        let before =
            fs::read_to_string(&path).map_err(|error| Failed(format!("{}: {error}", mutant.file)))?;
        let write = |text: &str| {
            fs::write(&path, text).map_err(|error| Failed(format!("cannot write {}: {error}", mutant.file)))
        };
        write(&mutant.applied_to(&before)?)?;
        let outcome = work();
        write(&before)?;
        outcome
    }

    fn try_test(&self, name: &str) -> Result<Fate, Failed> {
        let test = TestName::parse(name)?;
        let command = || -> Result<Command, Failed> {
            let mut command = cargo();
            command
                .current_dir(&self.folder)
                .env("CARGO_TARGET_DIR", target()?)
                .arg("test")
                .args(test.arguments()?);
            // A mutant leaves variables and imports unused.
            command.env("CARGO_TERM_COLOR", "never").env("RUST_BACKTRACE", "0");
            Ok(command)
        };
        let built = command()?.args(["--no-run", "--quiet"]).output();
        let built = built.map_err(|error| Failed(format!("cannot run cargo: {error}")))?;
        if !built.status.success() {
            return Ok(Fate::NoMutant(String::from_utf8_lossy(&built.stderr).into_owned()));
        }
        let Some((text, succeeded)) = run_for(LONGEST, command()?.args(["--", &test.function]))? else {
            return Ok(Fate::Noticed);
        };
        let lines = text.lines().filter(|line| {
            line.strip_prefix("test ").is_some_and(|rest| {
                rest.split(" ... ")
                    .next()
                    .is_some_and(|path| path.rsplit("::").next() == Some(&test.function))
            })
        });
        let (passed, failed) = (lines.clone().any(|line| line.ends_with(" ok")), !succeeded);
        match (passed, failed) {
            (true, false) => Ok(Fate::Survived),
            // A test that ends the process leaves no line.
            (_, true) => Ok(Fate::Noticed),
            (false, false) => Err(Failed(format!("{name} was not run:\n{text}"))),
        }
    }
}

/// What a command printed, and whether it succeeded. `None` if it did not end in time: it is ended then, with its children.
fn run_for(time: Duration, command: &mut Command) -> Result<Option<(String, bool)>, Failed> {
    let failed = |error: std::io::Error| Failed(format!("cannot run cargo: {error}"));
    let mut child =
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let mut stdout = child.stdout.take().expect("piped");
    let reading = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let started = Instant::now();
    let ended = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break Some(status);
        }
        if started.elapsed() > time {
            output(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]))?;
            child.wait().map_err(failed)?;
            break None;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let text = reading.join().expect("it reads").map_err(failed)?;
    Ok(ended.map(|status| (text, status.success())))
}

impl Drop for WorkTree {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Mutant {
    fn applied_to(&self, text: &str) -> Result<String, Failed> {
        let mut text = text.to_owned();
        for (from, to) in &self.changes {
            if text.matches(from.as_str()).count() != 1 {
                return Err(Failed(format!("`{}`: not exactly once in {}:\n{from}", self.name, self.file)));
            }
            text = text.replacen(from.as_str(), to, 1);
        }
        Ok(text)
    }
}

fn read(root: &Path) -> Result<Vec<Mutant>, Failed> {
    let text = fs::read_to_string(root.join(LIST)).map_err(|error| Failed(format!("{LIST}: {error}")))?;
    let text: String =
        text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    text.split("\nend\n").map(str::trim_start).filter(|block| !block.is_empty()).map(parse).collect()
}

fn parse(block: &str) -> Result<Mutant, Failed> {
    let wrong = || Failed(format!("{LIST}: cannot read\n{block}"));
    let mut parts = block.split("\nfrom:\n");
    let head = parts.next().ok_or_else(wrong)?;
    let field = |name: &str| {
        let mut values = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        values.next().map(str::to_owned).ok_or_else(wrong)
    };
    let changes = parts.map(|change| {
        let (from, to) = change.split_once("\nto:\n").ok_or_else(wrong)?;
        Ok((from.to_owned(), to.to_owned()))
    });
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    if changes.is_empty() {
        return Err(wrong());
    }
    Ok(Mutant {
        name: field("mutant")?,
        attack: field("attack")?,
        file: field("file")?,
        test: field("test")?,
        changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_still_applies_and_is_held_by_its_row() {
        let attacks = fs::read_to_string(root().join("docs/attacks.md")).expect("the list");
        let mutants = read(root()).unwrap_or_else(|Failed(why)| panic!("{why}"));
        for mutant in &mutants {
            let text = fs::read_to_string(root().join(&mutant.file)).expect(&mutant.file);
            let changed = mutant.applied_to(&text).unwrap_or_else(|Failed(why)| panic!("{why}"));
            assert_ne!(changed, text, "{}", mutant.name);
            let row = attacks.lines().find(|line| line.starts_with(&format!("| {} |", mutant.attack)));
            let row = row.unwrap_or_else(|| panic!("no attack is called {}", mutant.attack));
            assert!(
                row.contains(&format!("`{}`", mutant.test)),
                "{} does not hold {}",
                mutant.test,
                mutant.attack
            );
        }
        for row in attacks.lines().filter(|line| line.starts_with("| ") && line.contains("::")) {
            let name = row.trim_start_matches("| ").split(" |").next().expect("a name");
            assert!(
                mutants.iter().any(|mutant| mutant.attack == name),
                "no mutant takes out what holds {name}"
            );
        }
    }

    #[test]
    fn a_command_without_an_end_is_ended_with_its_children() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let told = run_for(Duration::from_secs(60), &mut shell("echo told")).ok().flatten();
        assert_eq!(told, Some(("told\n".to_owned(), true)));
        // Its output is read to the end, so the child must be gone too.
        let endless = run_for(Duration::from_millis(100), &mut shell("sleep 600 & sleep 600; true")).ok();
        assert_eq!(endless, Some(None));
    }
}
