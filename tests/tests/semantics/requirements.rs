//! The list in `docs/rfc9110.md` names only what exists.

use std::collections::HashSet;

const LIST: &str = include_str!("../../../docs/rfc9110.md");

#[test]
fn every_requirement_is_held_by_something_that_runs() {
    let names: HashSet<&str> = crate::table().map(|case| case.name).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut rows = 0;
    let requirements = LIST.lines().filter(|line| {
        let number = line.strip_prefix("| ").and_then(|line| line.split(['.', ' ']).next());
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    for line in requirements {
        let held_by = line.trim_end_matches(" |").rsplit(" | ").next().expect("a column");
        let tests: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "nothing holds: {line}");
        for test in tests {
            match test.split_once("::") {
                None => assert!(names.contains(test), "no case is named {test}"),
                Some((file, function)) => {
                    let source = std::fs::read_to_string(root.join(file)).expect(file);
                    assert!(source.contains(&format!("fn {function}(")), "{test} is no test");
                }
            }
        }
        rows += 1;
    }
    assert!(rows > 40, "{rows} requirements");
}
