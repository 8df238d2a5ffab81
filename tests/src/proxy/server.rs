//! [`ProxyServer`]: a program that is a reverse proxy, and a run of it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use secure_download::Dialect;

/// A server that does not listen after so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that is asked to stop may take so long.
const GRACE: Duration = Duration::from_secs(5);

/// Every server that the project supports, as it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyServer {
    /// Debian's nginx.
    Nginx,
    /// Debian's Caddy, 2.6.
    Caddy,
    /// The newest Caddy.
    NewestCaddy,
    /// Debian's Apache.
    Apache,
    /// Debian's lighttpd.
    Lighttpd,
}

impl ProxyServer {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Nginx, Self::Caddy, Self::NewestCaddy, Self::Apache, Self::Lighttpd];

    /// How it is spoken to.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Nginx => Dialect::Nginx,
            Self::Caddy | Self::NewestCaddy => Dialect::Caddy,
            Self::Apache => Dialect::Apache,
            Self::Lighttpd => Dialect::Lighttpd,
        }
    }

    fn command(self, config: &Path) -> Command {
        let (program, arguments): (PathBuf, &[&str]) = match self {
            Self::Nginx => ("/usr/sbin/nginx".into(), &["-c"]),
            Self::Caddy => ("/usr/bin/caddy".into(), &["run", "--adapter", "caddyfile", "--config"]),
            Self::NewestCaddy => (newest_caddy(), &["run", "--adapter", "caddyfile", "--config"]),
            Self::Apache => ("/usr/sbin/apache2".into(), &["-D", "FOREGROUND", "-f"]),
            Self::Lighttpd => ("/usr/sbin/lighttpd".into(), &["-D", "-f"]),
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(config);
        command
    }

    /// Starts the server in `folder` with what `configuration` says for a free address, and waits until it listens.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(self, folder: &Path, configuration: impl Fn(SocketAddr) -> String) -> Running {
        // Another process may take the port in between: a second try finds another.
        for _ in 0..3 {
            let address = free_address();
            let config = folder.join("proxy.conf");
            fs::write(&config, configuration(address)).expect("written");
            let output = fs::File::create(folder.join("output.log")).expect("a file");
            let mut command = self.command(&config);
            command
                .env("HOME", folder)
                .env("XDG_DATA_HOME", folder)
                .env("XDG_CONFIG_HOME", folder)
                .stdin(Stdio::null())
                .stdout(output.try_clone().expect("a file"))
                .stderr(output);
            let mut running = Running { child: command.spawn().expect("the server is installed"), address };
            if running.listens() {
                return running;
            }
        }
        let said = ["output.log", "error.log"].map(|log| fs::read_to_string(folder.join(log)));
        panic!("{self:?} does not start: {said:?}");
    }
}

/// Where `cargo xtask test --install` puts it.
fn newest_caddy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/python/bin/caddy")
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

/// A running server. It is stopped when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn listens(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked to stop, a server takes its workers along.
        let asked = Pid::from_raw(self.child.id().cast_signed()).map(|pid| kill_process(pid, Signal::TERM));
        let started = Instant::now();
        // Some wait for clients that never finish.
        while matches!(asked, Some(Ok(()))) && started.elapsed() < GRACE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
