//! The reverse proxy that sends the files, with `--strategy accel` or `--mask`: configured, started, and stopped at the end.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use secure_download::{
    AccelRedirect, BucketUpstream, Dialect, Mapping, MaskedBucket, ProxyConfig, ProxySecret, Root, UrlSigner,
};

use crate::kept_key;
use crate::options::{Options, ProxyName, StrategyName};
use crate::private::{self, Access};
use crate::site::StartError;

/// The module that lets nginx take headers away by wildcard, where Debian's package puts it.
const HEADERS_MORE: &str = "/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so";

/// A proxy that does not listen after so long will not.
const PATIENCE: Duration = Duration::from_secs(20);

/// What application and proxy agree on.
#[derive(Debug)]
pub(crate) struct Agreement {
    proxy: ProxyName,
    source: Source,
    secret: ProxySecret,
    /// In it each proxy has a folder named by its port, for its configuration, logs and temporary files.
    folder: PathBuf,
}

/// Where the proxy has the files from.
#[derive(Debug)]
enum Source {
    Folder(Mapping),
    Bucket(BucketUpstream),
}

impl Agreement {
    /// For files in `media`, kept in the data folder over restarts.
    pub(crate) fn over_folder(data: &Path, media: &Path, proxy: ProxyName) -> Result<Self, StartError> {
        let media = media.canonicalize().map_err(|error| problem(&error))?;
        let root = Root::new("/_protected/media", media).map_err(|error| problem(&error))?;
        let mapping = Mapping::new([root]).map_err(|error| problem(&error))?;
        Self::open(data, proxy, Source::Folder(mapping))
    }

    /// For files in a bucket whose signed URLs begin with `origin`.
    pub(crate) fn over_bucket(data: &Path, origin: &str, proxy: ProxyName) -> Result<Self, StartError> {
        let upstream = BucketUpstream::new("/_bucket", origin).map_err(|error| problem(&error))?;
        Self::open(data, proxy, Source::Bucket(upstream.system_resolvers()))
    }

    fn open(data: &Path, proxy: ProxyName, source: Source) -> Result<Self, StartError> {
        let folder = data.join("proxy");
        fs::create_dir_all(&folder)
            .and_then(|()| private::close_folder(&folder))
            .map_err(|error| problem(&error))?;
        let folder = folder.canonicalize().map_err(|error| problem(&error))?;
        let key = kept_key::load_or_create(&data.join("proxy.key")).map_err(|error| problem(&error))?;
        let mut half = [0; 32];
        half.copy_from_slice(&key[..32]);
        Ok(Self { proxy, source, secret: ProxySecret::from_random(&half), folder })
    }

    /// The strategy that hands files of the folder off to this proxy.
    pub(crate) fn accel(&self) -> Option<AccelRedirect> {
        let Source::Folder(mapping) = &self.source else { return None };
        Some(AccelRedirect::new(self.proxy.into(), mapping.clone(), self.secret.clone()))
    }

    /// The strategy that has this proxy fetch from the bucket.
    pub(crate) fn masked(&self, signer: impl UrlSigner + 'static) -> Result<MaskedBucket, StartError> {
        let Source::Bucket(upstream) = &self.source else {
            return Err(StartError::new("--mask needs a bucket".to_owned()));
        };
        MaskedBucket::new(self.proxy.into(), upstream.clone(), signer, self.secret.clone())
            .map_err(|error| problem(&error))
    }

    fn config(&self) -> Result<ProxyConfig<'_>, StartError> {
        let dialect = self.proxy.into();
        match &self.source {
            Source::Folder(mapping) => Ok(ProxyConfig::new(dialect, mapping, &self.secret)),
            Source::Bucket(upstream) => {
                let config = ProxyConfig::for_bucket(dialect, upstream, &self.secret)
                    .map_err(|error| problem(&error))?;
                Ok(if Path::new(HEADERS_MORE).exists() { config.headers_more() } else { config })
            }
        }
    }

    /// Apache's workers are not root, and must be able to enter the folders above the files.
    fn check_readable(&self) -> Result<(), StartError> {
        #[cfg(unix)]
        if let Source::Folder(mapping) = &self.source
            && let Some(account) = worker_account(self.proxy).filter(|account| *account != "root")
        {
            use std::os::unix::fs::PermissionsExt as _;
            let media = Path::new(mapping.roots()[0].folder());
            let closed =
                |folder: &&Path| fs::metadata(folder).is_ok_and(|data| data.permissions().mode() & 1 == 0);
            // Into the folder of files their group lets them.
            if let Some(folder) = media.ancestors().skip(1).find(closed) {
                return Err(StartError::new(format!(
                    "started by root, {} runs as {account}, which may not enter {}: open it, or choose another --data",
                    self.proxy.command().0,
                    folder.display()
                )));
            }
        }
        Ok(())
    }

    /// Writes the configuration, and starts the proxy unless told not to.
    pub(crate) fn start(&self, options: &Options, app: SocketAddr) -> Result<Proxy, StartError> {
        let address = free(options.proxy_listen).map_err(|error| {
            StartError::new(format!("cannot listen on {}: {error}", options.proxy_listen))
        })?;
        // Several programs may share a data folder.
        let folder = self.folder.join(address.port().to_string());
        fs::create_dir_all(&folder)
            .map_err(|error| StartError::new(format!("cannot make {}: {error}", folder.display())))?;
        let config = self.config()?.listen(address).app(app);
        let config = config.standalone(&folder).map_err(|error| StartError::new(error.to_string()))?;
        let config = match worker_account(self.proxy) {
            Some(account) => config.run_as(account),
            None => config,
        };
        let file = folder.join(self.proxy.file_name());
        let text = config.render();
        write_private(&file, &text)
            .map_err(|error| StartError::new(format!("cannot write {}: {error}", file.display())))?;
        let (program, arguments) = self.proxy.command();
        if options.no_spawn {
            let _ = io::stderr().lock().write_all(
                format!(
                    "{text}\nStart the proxy with: {program} {} {}\n",
                    arguments.join(" "),
                    file.display()
                )
                .as_bytes(),
            );
            return Ok(Proxy {
                address,
                child: None,
                #[cfg(unix)]
                name: self.proxy,
            });
        }
        let Some(path) = find(program) else {
            return Err(StartError::new(format!(
                "{program} is not installed: install it (Debian: apt-get install {}), choose another --proxy, or use \
                 --no-spawn",
                self.proxy.packages()
            )));
        };
        let log = folder.join("output.log");
        let output = fs::File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|error| StartError::new(format!("cannot write {}: {error}", log.display())))?;
        self.check_readable()?;
        let child = bound_to_this_process(&path)
            .args(arguments)
            .arg(&file)
            // Caddy keeps its state in folders of these.
            .envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, &folder)))
            .stdin(Stdio::null())
            .stdout(output.0)
            .stderr(output.1)
            .spawn()
            .map_err(|error| StartError::new(format!("cannot start {program}: {error}")))?;
        let mut proxy = Proxy {
            address,
            child: Some(child),
            #[cfg(unix)]
            name: self.proxy,
        };
        if proxy.listens() {
            return Ok(proxy);
        }
        let said = ["output.log", "error.log"].map(|name| fs::read_to_string(folder.join(name)));
        let said = said.into_iter().flatten().collect::<String>();
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        Err(StartError::new(format!("{program} does not start: {last}")))
    }
}

fn problem(error: &dyn std::fmt::Display) -> StartError {
    StartError::new(format!("cannot set up the proxy: {error}"))
}

/// A command that ends with this process, even if it is killed.
fn bound_to_this_process(program: &Path) -> Command {
    match find("setpriv") {
        Some(setpriv) if cfg!(target_os = "linux") => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        }
        _ => Command::new(program),
    }
}

/// A proxy, running unless somebody else is to start it. It is stopped when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    child: Option<Child>,
    #[cfg(unix)]
    name: ProxyName,
}

impl Proxy {
    /// Where clients go.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells the proxy to end once its running transfers are over, and waits until it has. What runs when this is dropped
    /// is cut.
    pub async fn finish(&mut self) {
        #[cfg(unix)]
        if let Some(child) = &mut self.child
            && let Some(process) = rustix::process::Pid::from_raw(child.id().cast_signed())
        {
            let _ = rustix::process::kill_process(process, self.name.graceful_signal());
            while matches!(child.try_wait(), Ok(None)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    fn listens(&mut self) -> bool {
        let Some(child) = &mut self.child else { return false };
        let started = Instant::now();
        while started.elapsed() < PATIENCE && matches!(child.try_wait(), Ok(None)) {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // Asked to stop, it takes its workers along.
        #[cfg(unix)]
        if matches!(child.try_wait(), Ok(None))
            && let Some(process) = rustix::process::Pid::from_raw(child.id().cast_signed())
        {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
            let asked = Instant::now();
            while asked.elapsed() < Duration::from_secs(5) && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl ProxyName {
    /// A proxy for `--mask` if the command line names none: one that is installed.
    pub(crate) fn for_a_bucket() -> Self {
        let installed = |proxy: &Self| find(proxy.command().0).is_some();
        [Self::Caddy, Self::Nginx].into_iter().find(installed).unwrap_or(Self::Caddy)
    }

    fn command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Caddy => ("caddy", &["run", "--adapter", "caddyfile", "--config"]),
            Self::Nginx => ("nginx", &["-c"]),
            Self::Apache => ("apache2", &["-D", "FOREGROUND", "-f"]),
            Self::Lighttpd => ("lighttpd", &["-D", "-f"]),
        }
    }

    /// What makes the server end once its transfers are over: nginx(8), httpd's "Stopping and Restarting", lighttpd's
    /// `server.graceful-shutdown-timeout`. Caddy always does.
    #[cfg(unix)]
    fn graceful_signal(self) -> rustix::process::Signal {
        use rustix::process::Signal;
        match self {
            Self::Caddy => Signal::TERM,
            Self::Nginx => Signal::QUIT,
            Self::Apache => Signal::WINCH,
            Self::Lighttpd => Signal::INT,
        }
    }

    fn packages(self) -> &'static str {
        match self {
            Self::Caddy => "caddy",
            Self::Nginx => "nginx",
            Self::Apache => "apache2 libapache2-mod-xsendfile",
            Self::Lighttpd => "lighttpd",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Caddy => "Caddyfile",
            Self::Nginx => "nginx.conf",
            Self::Apache => "apache.conf",
            Self::Lighttpd => "lighttpd.conf",
        }
    }
}

impl From<ProxyName> for Dialect {
    fn from(name: ProxyName) -> Self {
        match name {
            ProxyName::Caddy => Self::Caddy,
            ProxyName::Nginx => Self::Nginx,
            ProxyName::Apache => Self::Apache,
            ProxyName::Lighttpd => Self::Lighttpd,
        }
    }
}

/// As whom the workers run if root starts the proxy. nginx's may stay root, so that they can read whatever folder the demo
/// was given; Apache's must not.
fn worker_account(proxy: ProxyName) -> Option<&'static str> {
    #[cfg(unix)]
    if rustix::process::geteuid().is_root() {
        return match proxy {
            ProxyName::Nginx => Some("root"),
            ProxyName::Apache => Some("www-data"),
            ProxyName::Caddy | ProxyName::Lighttpd => None,
        };
    }
    let _ = proxy;
    None
}

/// The address itself, or with a free port if it asks for any.
fn free(address: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}

/// Whom the data folder must be open to, beside this process.
pub(crate) fn access(options: &Options) -> Result<Access, StartError> {
    let hands_off = options.strategy == StrategyName::Accel && !options.mask;
    match options.proxy.filter(|_| hands_off).and_then(worker_account) {
        Some(account) if account != "root" => Access::for_workers(account).map_err(|error| problem(&error)),
        _ => Ok(Access::default()),
    }
}

/// The configuration holds the secret.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// A program on the path, or where servers are.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}
