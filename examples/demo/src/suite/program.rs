//! [`Demo`]: the program under test.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use system_tests::leak_in;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

/// A program that says nothing for so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running demo with a data folder of its own.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    strategy: String,
    proxy: Option<String>,
    child: Child,
    log: Log,
    data: Arc<TempDir>,
}

/// What the program wrote to standard error, line by line.
#[derive(Debug, Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    grown: Arc<Notify>,
}

impl Log {
    async fn fields(&self, beginning: &str) -> Vec<String> {
        let wait = async {
            loop {
                let grown = self.grown.notified();
                if let Some(line) = self.find(beginning) {
                    return line.split_whitespace().map(str::to_owned).collect();
                }
                grown.await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no line `{beginning}`: {:?}", self.lines))
    }

    fn find(&self, beginning: &str) -> Option<String> {
        let lines = self.lines.lock().expect("not poisoned");
        lines.iter().find_map(|line| line.strip_prefix(beginning).map(str::to_owned))
    }
}

impl Demo {
    /// Starts the program on a free port and waits until it says where it listens.
    pub async fn start(program: &str, arguments: &[&str]) -> Self {
        Self::start_with(program, arguments, &[]).await
    }

    /// The same, with these variables in its environment.
    pub async fn start_with(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        // A proxy's workers run as somebody else if the tests are run by root.
        std::fs::set_permissions(data.path(), PermissionsExt::from_mode(0o755)).expect("permissions");
        Self::start_in(Arc::new(data), program, arguments, environment).await
    }

    /// Starts the program once more, on the same data folder and another port.
    pub async fn start_beside(&self, program: &str, arguments: &[&str]) -> Self {
        Self::start_in(Arc::clone(&self.data), program, arguments, &[]).await
    }

    async fn start_in(
        data: Arc<TempDir>,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let command = command(program, &data);
        Self::start_as(command, data, arguments, environment).await
    }

    /// Starts the program by a command of its own, which takes the program's arguments at its end.
    pub(super) async fn start_as(
        mut command: Command,
        data: Arc<TempDir>,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let listen = arguments.contains(&"--listen");
        let mut child = command
            .args(["--listen", "127.0.0.1:0"].iter().filter(|_| !listen))
            .args(arguments)
            .envs(environment.iter().copied())
            .spawn()
            .expect("the program starts");
        let log = Log::default();
        let mut errors = BufReader::new(child.stderr.take().expect("piped")).lines();
        tokio::spawn({
            let log = log.clone();
            async move {
                while let Ok(Some(line)) = errors.next_line().await {
                    log.lines.lock().expect("not poisoned").push(line);
                    log.grown.notify_waiters();
                }
            }
        });
        let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = timeout(PATIENCE, output.next_line()).await.expect("in time").expect("text");
        let ready = ready.unwrap_or_else(|| panic!("it ended: {:?}", log.lines.lock()));
        // A browser goes to the public address; the tests take the place of the proxy there.
        let address = match arguments.iter().skip_while(|argument| **argument != "--public-url").nth(1) {
            Some(url) => {
                assert_eq!(ready, format!("listening on {url}"));
                let fields = log.fields(&format!("a proxy brings the requests for {url} to http://")).await;
                fields[0].parse().expect("an address")
            }
            None => match ready.strip_prefix("listening on http://") {
                Some(address) => address.parse().expect(&ready),
                // Visitors that go there by TCP fail.
                None => SocketAddr::from(([127, 0, 0, 1], 0)),
            },
        };
        assert!(ready.starts_with("listening on "), "{ready}");
        let strategy = arguments.iter().skip_while(|argument| **argument != "--strategy").nth(1);
        let strategy = if arguments.contains(&"--mask") { Some(&"mask") } else { strategy };
        let proxy = arguments.iter().skip_while(|argument| **argument != "--proxy").nth(1);
        Self {
            address,
            strategy: strategy.copied().unwrap_or("stream").to_owned(),
            proxy: proxy.map(|proxy| (*proxy).to_owned()),
            child,
            log,
            data,
        }
    }

    /// Where a browser would go.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it was told to deliver: `stream`, `accel`, `presign` or `mask`.
    #[must_use]
    pub fn strategy(&self) -> &str {
        &self.strategy
    }

    /// Whether visitors come through a reverse proxy.
    #[must_use]
    pub fn is_behind_proxy(&self) -> bool {
        matches!(self.strategy(), "accel" | "mask")
    }

    /// Whether that proxy is Apache, whose workers run under an account of their own.
    pub(super) fn is_behind_apache(&self) -> bool {
        self.proxy.as_deref() == Some("apache")
    }

    /// The data folder, which is removed when the last of these is dropped.
    pub(super) fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.data)
    }

    /// The number of the process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The folder that holds its database and files.
    #[must_use]
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Waits for a log line that begins so, and returns the fields behind that beginning.
    pub async fn logged(&self, beginning: &str) -> Vec<String> {
        self.log.fields(beginning).await
    }

    /// The whole log so far.
    pub fn log(&self) -> String {
        self.log.lines.lock().expect("not poisoned").join("\n")
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_raw(self.process_id().cast_signed()).expect("a process");
        rustix::process::kill_process(process, signal).expect("sent");
    }

    /// Waits until it has ended well.
    ///
    /// # Panics
    /// If it goes on, or fails.
    pub async fn ended(mut self) {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("a status");
        assert!(status.success(), "a signal ends it well: {status}");
    }

    /// Kills it, as a crash does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Interrupts it as Ctrl-C does, and sees it end well, with no secret in its log.
    pub async fn stop(self) {
        assert_eq!(leak_in(&self.log()), None, "in the log");
        self.signal(rustix::process::Signal::INT);
        self.ended().await;
    }
}

pub(super) fn command(program: &str, data: &TempDir) -> Command {
    let mut command = Command::new(program);
    command.arg("--data").arg(data.path());
    piped(&mut command);
    command
}

/// What it prints is read, and it ends with the test.
pub(super) fn piped(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
}

/// What the command line refuses, with one clear line.
pub(super) async fn check_starting(program: &str) {
    for (arguments, says) in [
        (&["--listen", "0.0.0.0:0"][..], "sample users"),
        (&["--listen", "0.0.0.0:0", "--user", "alice:alice"], "sample users"),
        (&["--strategy", "pigeon"], "pigeon"),
        (&["--listen", "here"], "HOST:PORT"),
        (&["--user", "nobody"], "NAME:PASSWORD"),
        (&["--public-url", "https://files.example.org/share"], "sample users"),
        (&["--public-url", "files.example.org", "--user", "carol:x"], "https://"),
    ] {
        let data = tempfile::tempdir().expect("a folder");
        let mut command = command(program, &data);
        let output =
            timeout(PATIENCE, command.args(arguments).output()).await.expect("it ends").expect("text");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "it must not claim to listen");
    }
}
