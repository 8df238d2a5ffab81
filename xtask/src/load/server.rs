//! [`Server`]: a program under load, and what it has used of the processor.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::Failed;

/// Linux counts processor time in hundredths of a second for programs (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A server that does not listen after so long does not start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. It is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a program that prints its address first. It runs on the first processor: the load comes from the other.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Result<Self, Failed> {
        let mut command = pinned(0, program);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(failed)?;
        }
        let address = line.trim().parse();
        let address = address.map_err(|_| Failed(format!("{arguments:?} says {line:?}, no address")))?;
        Self { child, address }.listening()
    }

    /// Starts nginx with this configuration file, which listens on `address`.
    pub(crate) fn nginx(config: &Path, address: SocketAddr) -> Result<Self, Failed> {
        let nginx = crate::command::find_program("nginx").ok_or_else(|| Failed("no nginx".to_owned()))?;
        let mut command = pinned(0, &nginx);
        let child = command.arg("-c").arg(config).stdout(Stdio::null()).spawn().map_err(failed)?;
        Self { child, address }.listening()
    }

    fn listening(mut self) -> Result<Self, Failed> {
        let started = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if started.elapsed() > PATIENCE || self.child.try_wait().map_err(failed)?.is_some() {
                return Err(Failed(format!("nothing listens on {}", self.address)));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(self)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Processor time of the process and its children so far, in the kernel and out of it.
    pub(crate) fn processor_time(&self) -> Result<Duration, Failed> {
        let mut ticks = 0;
        for entry in fs::read_dir("/proc").map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // Other processes come and go.
            let Ok(stat) = fs::read_to_string(path.join("stat")) else { continue };
            if let Some(process) = parse_stat(&stat)
                && (process.id == self.child.id() || process.parent == self.child.id())
            {
                ticks += process.ticks;
            }
        }
        Ok(TICK * ticks)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to stop, nginx takes its workers along.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A command that runs on one processor only.
pub(crate) fn pinned(processor: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(processor.to_string()).arg(program);
    command
}

/// An address that nothing listens on.
pub(crate) fn free_address() -> Result<SocketAddr, Failed> {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(failed)
}

struct Process {
    id: u32,
    parent: u32,
    ticks: u32,
}

/// `proc_pid_stat(5)`: the name is in brackets and may hold anything.
fn parse_stat(stat: &str) -> Option<Process> {
    let id = stat.split(' ').next()?.parse().ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Process { id, parent: number(1)?, ticks: number(11)? + number(12)? })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: std::io::Error) -> Failed {
    Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_whatever_the_name() {
        let stat = "7 (a ) 1 2) S 3 7 7 0 -1 4194560 100 0 0 0 11 22 0 0 20 0 1 0 5 6 7";
        let process = parse_stat(stat).expect("a process");
        assert_eq!((process.id, process.parent, process.ticks), (7, 3, 33));
        assert!(parse_stat("").is_none());
    }
}
