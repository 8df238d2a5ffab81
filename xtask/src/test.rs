//! `cargo xtask test`: every check and every test.

use crate::command::{self, Failed, cargo, run_watched};
use crate::leaks::leak_in;
use crate::{features, install};

pub(crate) fn run(install: bool) -> Result<(), Failed> {
    install::ensure(install)?;
    checks()?;
    let mut count = Count::default();
    let mut failures = Failures::default();
    let mut leaked = Vec::new();
    let mut tests = cargo();
    // What passing tests print is shown too, so that it is searched.
    tests.args(["test", "--workspace", "--all-features", "--no-fail-fast", "--", "--show-output"]);
    let succeeded = run_watched(&mut tests, |line| {
        count.add(line);
        failures.add(line);
        leaked.extend(leak_in(line));
    })?;
    if !leaked.is_empty() {
        count.failed += 1;
        println!("\nthe tests print secrets: {}", leaked.join(", "));
    }
    failures.print();
    println!("\n{} passed, {} failed", count.passed, count.failed);
    if succeeded && count.failed == 0 && count.passed > 0 {
        Ok(())
    } else {
        Err(Failed("the tests failed".to_owned()))
    }
}

fn checks() -> Result<(), Failed> {
    command::run(cargo().args(["fmt", "--all", "--check"]))?;
    let clippy =
        ["clippy", "--quiet", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    command::run(cargo().args(clippy))?;
    // No target of all: it is run by name only.
    let garage = [
        "clippy",
        "--quiet",
        "--workspace",
        "--test",
        "presign_garage",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ];
    command::run(cargo().args(garage))?;
    let docs = ["doc", "--quiet", "--workspace", "--no-deps", "--all-features"];
    command::run(cargo().env("RUSTDOCFLAGS", "-D warnings").args(docs))?;
    features::check_each()
}

/// The sum of libtest's result lines.
#[derive(Debug, Default, PartialEq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    /// Takes `test result: ok. 3 passed; 0 failed; ...` into account, and no other line.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ').map(|(number, what)| (number.parse::<u64>(), what)) {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                _ => {}
            }
        }
    }
}

/// What failed tests said. It is told again at the end, where whoever reads only that finds it.
#[derive(Debug, Default)]
struct Failures {
    said: Vec<String>,
    /// Lines that the current target may still add. None between targets.
    left: Option<usize>,
}

impl Failures {
    /// Longest account of one target: a panic's message with a backtrace.
    const LINES: usize = 80;

    /// Keeps what stands between `failures:` and `test result:`.
    fn add(&mut self, line: &str) {
        match self.left {
            None if line == "failures:" => self.left = Some(Self::LINES),
            Some(_) if line.starts_with("test result: ") => self.left = None,
            Some(left) if left > 0 => {
                self.said.push(line.to_owned());
                self.left = Some(left - 1);
            }
            _ => {}
        }
    }

    fn print(&self) {
        if !self.said.is_empty() {
            println!("\nfailures, again:\n{}", self.said.join("\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_result_lines_count() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s",
            "test a_name_with_5 passed ... ok",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            count.add(line);
        }
        assert_eq!(count, Count { passed: 4, failed: 2 });
    }

    #[test]
    fn failures_are_kept_and_successes_are_not() {
        let mut failures = Failures::default();
        for line in [
            "---- passes stdout ----",
            "test result: ok. 1 passed; 0 failed",
            "failures:",
            "---- fails stdout ----",
            "thread 'fails' panicked at a.rs:1:2:",
            "failures:",
            "    fails",
            "test result: FAILED. 1 passed; 1 failed",
            "---- passes stdout ----",
        ] {
            failures.add(line);
        }
        let kept =
            ["---- fails stdout ----", "thread 'fails' panicked at a.rs:1:2:", "failures:", "    fails"];
        assert_eq!(failures.said, kept);
    }
}
