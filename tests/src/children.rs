//! Servers that the tests start, and stop by their own process id.

use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A running program, ended when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// What it prints.
    log: PathBuf,
}

impl Running {
    /// Starts a program; what it prints goes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let program = command.get_program().to_owned();
        let file = File::create(log).expect("a log");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a log")).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| not_installed(&program, &error));
        Self { child, log: log.to_owned() }
    }

    /// Asks again and again until the answer is yes.
    ///
    /// # Panics
    /// With the program's last words if it ends first, or if there is no such answer in 90 seconds.
    pub(crate) fn wait_until(&mut self, what: &str, mut ready: impl FnMut() -> bool) {
        let started = Instant::now();
        while !ready() {
            let ended = self.child.try_wait().expect("a child");
            if ended.is_some() || started.elapsed() > Duration::from_secs(90) {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<&str> = said.lines().collect();
                let last = lines[lines.len().saturating_sub(20)..].join("\n");
                panic!("{what} did not come up ({ended:?}):\n{last}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program printed, if it succeeded.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_owned();
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| not_installed(&program, &error));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn not_installed(program: &OsStr, error: &std::io::Error) -> ! {
    panic!("this test runs {}: {error}; cargo xtask test --install installs it", program.display())
}

/// The first of `count` consecutive ports on which nobody listens, below those that clients are given.
pub(crate) fn free_ports(count: u16) -> u16 {
    // Servers of one process that start at the same time must not find the same.
    static CALLS: AtomicU16 = AtomicU16::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed) % 90;
    let seed = u16::try_from(std::process::id() % 90).unwrap_or_default() + call;
    (0..90)
        .map(|step| 20_000 + (seed + step * 7) % 90 * 120)
        .find(|first| (*first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()))
        .expect("free ports")
}
