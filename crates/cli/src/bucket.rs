//! Buckets behind the proxy on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use secure_download_accel_redirect::{BucketUpstream, Dialect, Mapping, ProxyConfig, ProxySecret};

#[derive(Debug, Args)]
pub(crate) struct BucketArgs {
    /// A server that the proxy fetches from with signed URLs (nginx, Caddy), and its internal location; may be repeated.
    /// ORIGIN is what signed URLs begin with, such as `https://scans.s3.eu-central-1.amazonaws.com`
    #[arg(long = "bucket", value_name = "LOCATION=ORIGIN")]
    buckets: Vec<String>,
    /// Whose certificates are accepted for buckets: a PEM file on the proxy's machine. Without it the system's
    #[arg(long, value_name = "FILE", requires = "buckets")]
    trusted: Option<PathBuf>,
    /// A name server to ask where buckets are; may be repeated. Without it those of `/etc/resolv.conf`
    #[arg(long = "resolver", value_name = "ADDR", requires = "buckets")]
    resolvers: Vec<SocketAddr>,
    /// A bucket may be reached without TLS, though it is not on this machine
    #[arg(long, requires = "buckets")]
    without_tls: bool,
    /// nginx has the headers-more module, by which every header of a bucket goes but those of the file
    #[arg(long, requires = "buckets")]
    headers_more: bool,
}

impl BucketArgs {
    pub(crate) fn upstreams(&self) -> Result<Vec<BucketUpstream>, String> {
        let upstream = |text: &String| {
            let (location, origin) = text.split_once('=').ok_or("expected --bucket LOCATION=ORIGIN")?;
            let upstream = if self.without_tls {
                BucketUpstream::without_tls(location, origin)
            } else {
                BucketUpstream::new(location, origin)
            };
            let mut upstream = upstream.map_err(|error| error.to_string())?;
            if let Some(file) = &self.trusted {
                upstream = upstream.trusted(file).map_err(|error| error.to_string())?;
            }
            Ok(match &self.resolvers[..] {
                [] => upstream.system_resolvers(),
                given => given.iter().fold(upstream, |upstream, resolver| upstream.resolver(*resolver)),
            })
        };
        self.buckets.iter().map(upstream).collect()
    }

    pub(crate) fn config<'a>(
        &self,
        server: Dialect,
        mapping: Option<&'a Mapping>,
        buckets: &'a [BucketUpstream],
        secret: &'a ProxySecret,
    ) -> Result<ProxyConfig<'a>, String> {
        let mut buckets = buckets.iter();
        let config = match (mapping, buckets.as_slice()) {
            (Some(mapping), _) => Ok(ProxyConfig::new(server, mapping, secret)),
            (None, [first, ..]) => {
                buckets.next();
                ProxyConfig::for_bucket(server, first, secret)
            }
            (None, []) => return Err("give a --root or a --bucket".to_owned()),
        };
        let config = buckets.try_fold(config.map_err(|error| error.to_string())?, ProxyConfig::bucket);
        let config = config.map_err(|error| error.to_string())?;
        Ok(if self.headers_more { config.headers_more() } else { config })
    }
}
