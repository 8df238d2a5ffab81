//! [`RedisServer`]: a real Redis server.

use std::net::TcpListener;
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
    child: Child,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Panics
    /// If `redis-server` is not installed (Debian's package `redis-server`) or does not answer.
    pub async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        let child = spawn(port, &folder);
        let mut server = Self { port, folder, child };
        server.answering().await;
        server
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
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
        self.child = spawn(self.port, &self.folder);
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

fn spawn(port: u16, folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server, from Debian's package redis-server")
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
