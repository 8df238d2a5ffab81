//! The programs of the demo, for tests that start them.

/// The path of a demo's program, beside which this test was built.
pub(crate) fn program(name: &str) -> String {
    let test = std::env::current_exe().expect("a path");
    let folder = test.ancestors().nth(2).expect("the target folder");
    let program = folder.join(name);
    assert!(program.exists(), "this test starts {name}: cargo build -p {name}");
    program.display().to_string()
}
