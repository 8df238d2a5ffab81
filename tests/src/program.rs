//! [`program`]: real clients, as Debian packages bring them.

use tokio::process::Command;

const PACKAGES: &str = include_str!("../packages.txt");

/// A command that runs `name`, and is ended with the test.
///
/// # Panics
/// With the package to install if there is no such program here.
#[must_use]
pub fn program(name: &str) -> Command {
    let package = PACKAGES.lines().find_map(|line| {
        let (package, brings) = line.split_once(' ')?;
        (brings == name).then_some(package)
    });
    let package = package.unwrap_or_else(|| panic!("tests/packages.txt does not list {name}"));
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    assert!(found, "this test runs {name}: apt-get install {package}, or cargo xtask test --install");
    let mut command = Command::new(name);
    command.kill_on_drop(true);
    command
}
