//! [`Memory`]: what a process and its connections hold.

use std::fs;
use std::time::Duration;

/// In KiB, but for descriptors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// The highest that `resident` ever was.
    pub(crate) peak: u64,
    /// All TCP buffers of this machine: on loopback the readers' own too.
    pub(crate) kernel: u64,
    pub(crate) descriptors: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            line.trim().trim_end_matches(" kB").parse().expect(name)
        };
        let sockets = fs::read_to_string("/proc/net/sockstat").expect("Linux");
        let tcp = sockets.lines().find(|line| line.starts_with("TCP:")).expect("TCP");
        let pages: u64 = tcp.split_whitespace().last().and_then(|pages| pages.parse().ok()).expect("pages");
        Self {
            resident: field("VmRSS:"),
            peak: field("VmHWM:"),
            kernel: pages * 4,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count() as u64,
        }
    }

    /// As [`Memory::of`], once no more than so many descriptors are open, or after ten seconds.
    pub(crate) async fn settled(pid: u32, descriptors: u64) -> Self {
        for _ in 0..100 {
            if Self::of(pid).descriptors <= descriptors {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Self::of(pid)
    }
}
