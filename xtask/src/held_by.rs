//! Tests by file and function, as documents name them: `crates/core/src/key.rs::keys_are_kept_as_they_are_or_refused`.

use std::path::Path;

use crate::command::{Failed, root};

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestName {
    file: String,
    pub(crate) function: String,
}

impl TestName {
    /// # Errors
    /// If it is not of the form `FILE::FUNCTION`, or there is no such test.
    pub(crate) fn parse(text: &str) -> Result<Self, Failed> {
        let (file, function) = text.split_once("::").ok_or_else(|| Failed(format!("no test: {text}")))?;
        let source = std::fs::read_to_string(root().join(file))
            .map_err(|error| Failed(format!("{text}: {file}: {error}")))?;
        let found = source.split(&format!("fn {function}(")).collect::<Vec<_>>();
        let [before, _] = found[..] else { return Err(Failed(format!("no such test: {text}"))) };
        // The attribute stands in front, and an attribute that expects a panic would turn the test around.
        let attributes = before.rsplit("\n\n").next().unwrap_or_default();
        if !["#[test]", "#[tokio::test", "#[actix_web::test]"].iter().any(|test| attributes.contains(test))
            || attributes.contains("should_panic")
        {
            return Err(Failed(format!("not run as a test: {text}")));
        }
        Ok(Self { file: file.to_owned(), function: function.to_owned() })
    }

    /// The arguments of `cargo test` that run it alone.
    pub(crate) fn arguments(&self) -> Result<Vec<String>, Failed> {
        let file = Path::new(&self.file);
        let parts: Vec<&str> = self.file.split('/').collect();
        let (package, rest) = match parts[..] {
            ["crates", "secure-download", ref rest @ ..] => ("secure-download".to_owned(), rest),
            ["crates", name, ref rest @ ..] => (format!("secure-download-{name}"), rest),
            ["tests", ref rest @ ..] => ("system-tests".to_owned(), rest),
            ["examples", "demo", ref rest @ ..] => ("demo".to_owned(), rest),
            ["xtask", ref rest @ ..] => ("xtask".to_owned(), rest),
            _ => return Err(Failed(format!("no package is known for {}", self.file))),
        };
        let mut arguments = vec!["--package".to_owned(), package, "--all-features".to_owned()];
        match rest {
            ["src", ..] => arguments.push("--lib".to_owned()),
            ["tests", target, "main.rs"] => arguments.extend(["--test".to_owned(), (*target).to_owned()]),
            ["tests", target, _] => arguments.extend(["--test".to_owned(), (*target).to_owned()]),
            ["tests", _] => {
                let target = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                arguments.extend(["--test".to_owned(), target]);
            }
            _ => return Err(Failed(format!("no target is known for {}", self.file))),
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_test_that_runs_and_how_to_run_it() {
        for (name, arguments) in [
            (
                "crates/core/src/key.rs::keys_are_kept_as_they_are_or_refused",
                "--package secure-download-core --all-features --lib",
            ),
            (
                "crates/axum/tests/wire/main.rs::statuses_and_bodies",
                "--package secure-download-axum --all-features --test wire",
            ),
            (
                "tests/tests/bombs.rs::as_many_ranges_as_are_read",
                "--package system-tests --all-features --test bombs",
            ),
        ] {
            let test = TestName::parse(name).unwrap_or_else(|Failed(why)| panic!("{why}"));
            let found = test.arguments().unwrap_or_else(|Failed(why)| panic!("{why}"));
            assert_eq!(found.join(" "), arguments);
        }
        for bad in [
            "crates/core/src/key.rs",
            "crates/core/src/none.rs::x",
            "crates/core/src/key.rs::no_such_test",
            "crates/core/src/key.rs::parse",
        ] {
            assert!(TestName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_attack_is_held_by_tests_that_run() {
        let text = std::fs::read_to_string(root().join("docs/attacks.md")).expect("the list");
        let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
        let mut count = 0;
        for row in rows {
            let held_by = row.trim_end_matches(" |").rsplit(" | ").next().expect("a column");
            let tests: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
            assert!(!tests.is_empty(), "nothing holds: {row}");
            for test in tests {
                if let Err(Failed(why)) = TestName::parse(test) {
                    panic!("{why}");
                }
            }
            count += 1;
        }
        assert_eq!(count, 37, "attacks");
    }
}
