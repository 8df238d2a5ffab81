//! `secure-download proxy-config`.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use http::HeaderName;
use secure_download_accel_redirect::{
    AppAddress, Compressor, Dialect, IpRange, ListenAddress, Mapping, ProxyConfig, ProxySecret,
};

use crate::Done;
use crate::bucket::BucketArgs;
use crate::root::RootArg;
use crate::server;

/// RFC 1035 section 4.2.
const DNS_PORT: u16 = 53;

const SECRET_VARIABLE: &str = "SECURE_DOWNLOAD_PROXY_SECRET";

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("files").required(true).multiple(true).args(["roots", "buckets"])))]
pub(crate) struct ProxyConfigArgs {
    /// nginx, caddy, apache or lighttpd
    #[arg(long)]
    server: Dialect,
    /// A folder that files are sent from, and its internal location; may be repeated. Downloads of VOLUME (`*`: of each
    /// volume, in a folder of its name), keys beneath KEYS
    #[arg(long = "root", value_name = "[VOLUME:]LOCATION[+KEYS]=FOLDER")]
    roots: Vec<RootArg>,
    #[command(flatten)]
    buckets: BucketArgs,
    /// Where the proxy listens: a port on every address, or an IP address and a port. A port alone is on IPv4 addresses
    /// only in nginx and lighttpd: `[::]:PORT` is for IPv6
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: ListenAddress,
    /// A host name of the site; may be repeated. Needed for several sites on one port
    #[arg(long = "server-name", value_name = "NAME")]
    names: Vec<String>,
    /// The application: HOST:PORT, a port of this machine, or `unix:/PATH`
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    app: AppAddress,
    /// A DNS server with which nginx follows a changed address of the application's name: an IP address, and a port if
    /// it is not 53
    #[arg(long, value_name = "ADDR", value_parser = resolver)]
    app_resolver: Option<SocketAddr>,
    /// The application lives below this path, such as /share: the proxy strips it
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// A proxy or TLS terminator directly before this one, by its IP address or range; may be repeated. Its
    /// X-Forwarded-For and -Proto are passed on, those of other peers are not. It must set both, not add lines to the
    /// visitor's. The host is that of `Host`
    #[arg(long = "trusted-hop", value_name = "RANGE")]
    hops: Vec<IpRange>,
    /// The server has this compressor module, to be off for files; may be repeated: brotli, brotli-static, zstd,
    /// zstd-static, gzip-static (nginx), deflate (lighttpd)
    #[arg(long = "compressor", value_name = "NAME")]
    compressors: Vec<Compressor>,
    /// Log requests here, without tokens of links. Without it a site logs none
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Caddy is 2.11 or newer: cut clients that take nothing for a minute
    #[arg(long)]
    idle_limits: bool,
    /// Print the options for the whole server instead, which Caddy's sites need once (Caddy)
    #[arg(long, conflicts_with = "standalone")]
    server_wide: bool,
    /// A file with the secret that proves the proxy to the application. Without it the variable
    /// `SECURE_DOWNLOAD_PROXY_SECRET` is read; without both a new secret is made
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Keep one more header of the application on files (nginx)
    #[arg(long = "keep-header", value_name = "NAME", value_parser = kept_header)]
    kept: Vec<HeaderName>,
    /// A whole configuration file, for a server that runs on its own: its logs and temporary files go here
    #[arg(long, value_name = "FOLDER")]
    standalone: Option<PathBuf>,
    /// As whom the workers of a standalone nginx or Apache run
    #[arg(long, value_name = "USER", requires = "standalone")]
    run_as: Option<String>,
    /// Have the installed server check the configuration before it is printed
    #[arg(long)]
    check: bool,
}

/// An IP address, with a port unless it is that of DNS.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
    address.or_else(|_| text.parse()).map_err(|_| "not an IP address with or without a port".to_owned())
}

/// A header that nginx has a variable for.
fn kept_header(text: &str) -> Result<HeaderName, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let name = text.parse().ok().filter(|_| plain);
    name.ok_or_else(|| "a header's name consists of letters, digits, `-` and `_` here".to_owned())
}

impl ProxyConfigArgs {
    pub(crate) fn run(self) -> Result<Done, String> {
        let mut note = None;
        let secret = match self.secret()? {
            Some(secret) => secret,
            None => {
                let mut random = [0; 32];
                getrandom::fill(&mut random).map_err(|error| format!("no random bytes: {error}"))?;
                // The options for the whole server hold no secret.
                note = (!self.server_wide).then(|| {
                    format!("a new secret was made: give it to the application too ({SECRET_VARIABLE})")
                });
                ProxySecret::from_random(&random)
            }
        };
        let roots: Vec<_> = self.roots.iter().map(|root| root.0.clone()).collect();
        let mapping = match roots.is_empty() {
            true => None,
            false => Some(Mapping::new(roots).map_err(|error| error.to_string())?),
        };
        let buckets = self.buckets.upstreams()?;
        let config = self.buckets.config(self.server, mapping.as_ref(), &buckets, &secret)?;
        let mut config = self.options(config)?;
        let site = config.clone();
        if let Some(folder) = &self.standalone {
            config = config.standalone(folder).map_err(|error| error.to_string())?;
            if let Some(user) = &self.run_as {
                config = config.run_as(user);
            }
        }
        if self.check {
            // A site alone is no whole configuration: it is checked within one.
            let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
            let whole = match self.standalone {
                Some(_) => config.clone(),
                None => site.standalone(folder.path()).map_err(|error| error.to_string())?,
            };
            let file = folder.path().join("proxy.conf");
            fs::write(&file, whole.render())
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            server::check(self.server, &file)?;
        }
        let output = match self.server_wide {
            false => config.render(),
            true => config
                .server_wide()
                .ok_or_else(|| format!("{} needs no options for the whole server", self.server))?,
        };
        Ok(Done { note, ..Done::new(output) })
    }

    fn options<'a>(&self, config: ProxyConfig<'a>) -> Result<ProxyConfig<'a>, String> {
        let mut config = config.listen(self.listen).app(self.app.clone());
        if let Some(resolver) = self.app_resolver {
            config = config.app_resolver(resolver);
        }
        for name in &self.names {
            config = config.server_name(name).map_err(|error| error.to_string())?;
        }
        if let Some(path) = &self.path {
            config = config.path(path).map_err(|error| error.to_string())?;
        }
        for hop in &self.hops {
            config = config.trusted_hop(*hop);
        }
        for compressor in &self.compressors {
            config = config.compressor(*compressor).map_err(|error| error.to_string())?;
        }
        if let Some(file) = &self.access_log {
            config = config.access_log(file).map_err(|error| error.to_string())?;
        }
        if self.idle_limits {
            config = config.idle_limits();
        }
        Ok(self.kept.iter().fold(config, ProxyConfig::keep_header))
    }

    fn secret(&self) -> Result<Option<ProxySecret>, String> {
        let text = match &self.secret_file {
            Some(path) => Some(
                fs::read_to_string(path)
                    .map_err(|error| format!("cannot read the secret from {}: {error}", path.display()))?,
            ),
            None => std::env::var(SECRET_VARIABLE).ok(),
        };
        text.map(|text| ProxySecret::new(text.trim())).transpose().map_err(|error| error.to_string())
    }
}
