//! The command line, the same for every demo application.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};

use crate::PublicUrl;
use crate::listen::{Listen, resolve};

/// Shares private files with people who sign in.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Options {
    /// Where to listen: HOST:PORT (port 0 picks a free port), unix:PATH, or `systemd` for the socket that it hands over
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    pub listen: Listen,
    /// How long running downloads may take to finish after SIGTERM or Ctrl-C
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub drain: u64,
    /// The folder that holds the database and the uploaded files; made if absent
    #[arg(long, value_name = "FOLDER", default_value = "demo-data")]
    pub data: PathBuf,
    /// How files are delivered
    #[arg(long, value_enum, default_value_t = StrategyName::Stream)]
    pub strategy: StrategyName,
    /// Somebody who may sign in; may be repeated. Default: alice:alice and bob:bob
    #[arg(long = "user", value_name = "NAME:PASSWORD")]
    pub users: Vec<Credentials>,
    /// The reverse proxy, with --strategy accel or --mask
    #[arg(long, value_enum)]
    pub proxy: Option<ProxyName>,
    /// Where the reverse proxy listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = resolve)]
    pub proxy_listen: SocketAddr,
    /// Write the proxy's configuration, but do not start the proxy
    #[arg(long)]
    pub no_spawn: bool,
    /// The S3 server, with --strategy presign; without it an embedded one is started
    #[arg(long, value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// The bucket
    #[arg(long, value_name = "NAME")]
    pub s3_bucket: Option<String>,
    /// The bucket's region
    #[arg(long, value_name = "NAME")]
    pub s3_region: Option<String>,
    /// Print the policy that the bucket's user needs, and end
    #[arg(long)]
    pub print_policy: bool,
    /// A proxy, caddy or nginx, fetches from the bucket: no redirect, and the bucket stays hidden
    #[arg(long)]
    pub mask: bool,
    /// Life of a signed URL. Without it 5 for small attachments, longer for what players and slow downloads ask for again
    #[arg(long, value_name = "SECONDS")]
    pub expires: Option<u64>,
    /// Where one-time links are kept: `sqlite` (in the data folder), `memory`, or a Redis server: `redis://...`, `rediss://...`,
    /// `unix:///path`, `redis+sentinel://host,host/service`
    #[arg(long, value_name = "STORE", default_value = "sqlite")]
    pub links: LinkStoreName,
    /// The address that browsers show, where a proxy stands before the demo: `https://files.example.org/share`. The proxy strips the path
    #[arg(long, value_name = "URL")]
    pub public_url: Option<PublicUrl>,
    /// Browsers reach this demo by HTTPS, through a proxy: mark cookies `Secure`. An https:// --public-url says so too
    #[arg(long)]
    pub https_public: bool,
    /// The largest upload
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 30)]
    pub max_upload: u64,
    /// What one user may store, samples aside
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 30)]
    pub quota: u64,
    /// Append the audit log to this file: a line of JSON for each event
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Cut a client that takes or sends nothing for so long
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub stall_seconds: NonZeroU64,
    /// Downloads at the same time, of all users
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub max_downloads: usize,
    /// Downloads at the same time, of one user
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub max_downloads_per_user: usize,
    /// The highest transfer rate of one download; unlimited if not given
    #[arg(long, value_name = "BYTES_PER_SECOND")]
    pub rate: Option<NonZeroU64>,
}

/// How files are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StrategyName {
    /// The application sends the bytes itself.
    Stream,
    /// A reverse proxy sends them.
    Accel,
    /// The client is sent to a signed URL of an S3 server.
    Presign,
}

/// A reverse proxy that can send files for the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProxyName {
    /// Caddy 2.
    Caddy,
    /// nginx.
    Nginx,
    /// Apache httpd.
    Apache,
    /// lighttpd.
    Lighttpd,
}

/// Where one-time links are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStoreName {
    /// In the demo's own database.
    Sqlite,
    /// In this process.
    Memory,
    /// On a Redis server.
    Redis(String),
}

/// The schemes of URLs that name a Redis server.
const REDIS_SCHEMES: [&str; 8] =
    ["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix", "redis+sentinel", "rediss+sentinel"];

impl FromStr for LinkStoreName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            "memory" => Ok(Self::Memory),
            url if url.split_once(':').is_some_and(|(scheme, _)| REDIS_SCHEMES.contains(&scheme)) => {
                Ok(Self::Redis(url.to_owned()))
            }
            _ => Err("expected `sqlite`, `memory` or a Redis URL: redis://host, rediss://host (TLS), unix:///path, \
                      redis+sentinel://host,host/service"
                .to_owned()),
        }
    }
}

/// A user's name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name to sign in with.
    pub name: String,
    /// The password.
    pub password: String,
}

impl FromStr for Credentials {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, password) = text.split_once(':').ok_or("expected NAME:PASSWORD")?;
        let name_is_fine = (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
        if !name_is_fine || name.trim() != name {
            return Err("a name has 1 to 64 bytes, no control character, no space at its ends".to_owned());
        }
        if password.is_empty() {
            return Err("the password is empty".to_owned());
        }
        Ok(Self { name: name.to_owned(), password: password.to_owned() })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who may sign in if nobody was named.
const SAMPLE_USERS: [&str; 2] = ["alice", "bob"];

impl Options {
    /// The users of the command line, or the sample users.
    #[must_use]
    pub fn credentials(&self) -> Vec<Credentials> {
        if self.users.is_empty() {
            SAMPLE_USERS.map(|name| Credentials { name: name.to_owned(), password: name.to_owned() }).into()
        } else {
            self.users.clone()
        }
    }

    /// Whether somebody may sign in with a password that everybody knows.
    pub(crate) fn has_sample_users(&self) -> bool {
        // Naming a sample user with the sample password does not make it less known.
        let known =
            |user: &Credentials| SAMPLE_USERS.contains(&user.name.as_str()) && user.name == user.password;
        self.credentials().iter().any(known)
    }

    /// Whether browsers come by HTTPS.
    pub(crate) fn is_https(&self) -> bool {
        self.https_public || self.public_url.as_ref().is_some_and(PublicUrl::is_https)
    }

    /// What to tell whoever starts the demo with passwords that everybody knows.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.users.is_empty().then(|| {
            "warning: sample users alice:alice and bob:bob may sign in; name your own with --user NAME:PASSWORD"
                .to_owned()
        })
    }

    /// The policy that `--print-policy` prints.
    ///
    /// # Errors
    /// One line that says which option is missing or malformed.
    pub fn policy(&self) -> Result<String, String> {
        crate::bucket::policy(self)
    }

    fn check_bucket(&self) -> Result<(), String> {
        if self.s3_bucket.is_none() && (self.s3_endpoint.is_some() || self.s3_region.is_some()) {
            return Err("--s3-endpoint and --s3-region need --s3-bucket".to_owned());
        }
        if self.expires == Some(0) {
            return Err("--expires 0 leaves no time to download anything".to_owned());
        }
        if self.s3_bucket.is_none() && !self.mask && self.listen.is_reachable_from_outside() {
            return Err(
                "the embedded S3 server is reached from this machine only: name a real one with --s3-bucket \
                        and --s3-endpoint"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Whether the options go together.
    ///
    /// # Errors
    /// One line that says which do not, and why.
    pub fn check(&self) -> Result<(), String> {
        match self.strategy {
            StrategyName::Stream if self.mask => {
                return Err("--mask hides a bucket: it needs --strategy presign or accel".to_owned());
            }
            StrategyName::Stream => {}
            StrategyName::Accel if self.mask => self.check_bucket()?,
            StrategyName::Accel if self.proxy.is_none() => {
                return Err("--strategy accel needs --proxy caddy, nginx, apache or lighttpd".to_owned());
            }
            StrategyName::Accel => {}
            StrategyName::Presign => self.check_bucket()?,
        }
        if self.mask && matches!(self.proxy, Some(ProxyName::Apache | ProxyName::Lighttpd)) {
            return Err("only caddy and nginx can fetch from a bucket: choose one with --proxy".to_owned());
        }
        let behind_proxy = self.mask || self.strategy == StrategyName::Accel;
        if behind_proxy && !matches!(self.listen, Listen::Tcp(_)) {
            return Err(
                "the proxy reaches the demo over TCP: with --strategy accel or --mask, --listen HOST:PORT"
                    .to_owned(),
            );
        }
        let proxied = behind_proxy.then_some(("--proxy-listen", Listen::Tcp(self.proxy_listen)));
        for (option, listen) in std::iter::once(("--listen", self.listen.clone())).chain(proxied) {
            self.check_users(option, &listen)?;
        }
        self.check_public_url()
    }

    fn check_public_url(&self) -> Result<(), String> {
        let Some(url) = &self.public_url else { return Ok(()) };
        if self.https_public && !url.is_https() {
            return Err(format!(
                "--https-public and --public-url {url} contradict each other: leave one out"
            ));
        }
        if self.has_sample_users() && !url.is_loopback() {
            return Err(known_passwords(format_args!("--public-url {url}")));
        }
        Ok(())
    }

    /// Whether the socket that the demo listens on goes together with the options. systemd chooses its address.
    ///
    /// # Errors
    /// One line that says what does not go together, and why.
    pub fn check_address(&self, address: Option<SocketAddr>) -> Result<(), String> {
        address.map_or(Ok(()), |address| self.check_users("--listen", &Listen::Tcp(address)))
    }

    fn check_users(&self, option: &str, listen: &Listen) -> Result<(), String> {
        if listen.is_reachable_from_outside() && self.has_sample_users() {
            return Err(known_passwords(format_args!("{option} {listen}")));
        }
        Ok(())
    }
}

/// `cause` lets others than this machine come.
fn known_passwords(cause: fmt::Arguments<'_>) -> String {
    format!(
        "sample users (alice:alice, bob:bob) may not be reached from outside: with {cause} name users with passwords of your own, \
         with --user NAME:PASSWORD"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str]) -> Result<(), String> {
        let options = Options::try_parse_from([&["demo"], arguments].concat()).map_err(|e| e.to_string())?;
        options.check()
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for good in [
            &[][..],
            &["--listen", "127.0.0.1:0"],
            &["--listen", "[::1]:0"],
            &["--listen", "localhost:0"],
            &["--listen", "0.0.0.0:0", "--user", "carol:long:er"],
            &["--links", "sqlite"],
            &["--links", "memory"],
            &["--links", "redis://127.0.0.1"],
            &["--links", "rediss://cache.example:6380/1"],
            &["--links", "unix:///run/redis.sock"],
            &["--links", "redis+sentinel://user:x@10.0.0.1,10.0.0.2:26380/links/0"],
            &["--links", "rediss+sentinel://10.0.0.1/links"],
            &["--strategy", "presign"],
            &[
                "--strategy",
                "presign",
                "--s3-bucket",
                "b-1",
                "--s3-region",
                "eu-central-1",
                "--expires",
                "60",
            ],
            &["--strategy", "accel", "--proxy", "caddy", "--proxy-listen", "127.0.0.1:0"],
            &["--strategy", "presign", "--mask"],
            &["--strategy", "presign", "--mask", "--proxy", "nginx"],
            &["--strategy", "accel", "--mask", "--proxy", "caddy"],
            &["--rate", "2000", "--stall-seconds", "5", "--max-upload", "0"],
            &["--public-url", "https://files.example.org/share", "--user", "carol:x"],
            &["--public-url", "https://files.example.org", "--https-public", "--user", "carol:x"],
            &["--public-url", "http://localhost:8080/share"],
            &["--public-url", "https://[::1]/"],
            &["--listen", "unix:/run/demo.sock", "--public-url", "http://127.0.0.1:8080"],
        ] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in [
            &["--listen", "0.0.0.0:0"][..],
            &["--listen", "[::]:0"],
            &["--listen", "0.0.0.0:0", "--user", "carol:x", "--user", "bob:bob"],
            &["--listen", "8000"],
            &["--strategy", "accel"],
            &["--strategy", "presign", "--s3-endpoint", "https://s3.example"],
            &["--strategy", "presign", "--expires", "0"],
            &["--strategy", "presign", "--listen", "0.0.0.0:0", "--user", "carol:x"],
            &["--strategy", "accel", "--proxy", "caddy", "--proxy-listen", "0.0.0.0:0"],
            &["--strategy", "carrier-pigeon"],
            &["--mask"],
            &["--strategy", "stream", "--mask"],
            &["--strategy", "presign", "--mask", "--proxy", "apache"],
            &["--strategy", "presign", "--mask", "--proxy-listen", "0.0.0.0:0"],
            &["--links", "paper"],
            &["--links", "http://127.0.0.1"],
            &["--links", "redis"],
            &["--user", "carol"],
            &["--user", ":x"],
            &["--user", "carol:"],
            &["--user", " carol:x"],
            &["--user", "ca\nrol:x"],
            &["--rate", "0"],
            &["--public-url", "https://files.example.org/share"],
            &["--public-url", "https://files.example.org", "--user", "bob:bob"],
            &["--public-url", "http://192.168.0.1:8080"],
            &["--public-url", "http://localhost", "--https-public"],
            &["--public-url", "localhost:8080"],
            &["--stall-seconds", "0"],
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_policy_names_one_prefix() {
        let policy = |arguments: &[&str]| {
            Options::try_parse_from([&["demo", "--print-policy"], arguments].concat())
                .expect("options")
                .policy()
        };
        let printed = policy(&["--s3-bucket", "scans", "--s3-region", "eu-central-1"]).expect("a policy");
        assert!(
            printed.contains("\"arn:aws:s3:::scans/demo/*\"") && !printed.contains("Delete"),
            "{printed}"
        );
        assert!(policy(&[]).is_err());
        assert!(policy(&["--s3-bucket", "scans", "--s3-endpoint", "nowhere"]).is_err());
    }

    #[test]
    fn a_password_may_hold_colons_and_is_not_printed() {
        let user: Credentials = "carol:a:b".parse().expect("name and password");
        assert_eq!((user.name.as_str(), user.password.as_str()), ("carol", "a:b"));
        assert!(!format!("{user:?}").contains("a:b"));
    }
}
