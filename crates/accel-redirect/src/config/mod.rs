//! [`ProxyConfig`]: the proxy's configuration, rendered from the mapping that the strategy uses.

mod address;
mod apache;
mod bucket;
mod caddy;
mod caddy_bucket;
mod compressor;
mod error;
mod lighttpd;
mod nginx;
mod nginx_bucket;
mod nginx_names;
mod nginx_visitor;
mod options;
mod range;
mod visitor;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use http::HeaderName;

pub use self::address::{AppAddress, ListenAddress};
pub use self::compressor::Compressor;
pub use self::error::ProxyConfigError;
pub use self::range::IpRange;
#[cfg(all(test, feature = "doctor"))]
pub(crate) use self::visitor::OTHER_NAMES;
use crate::mapping::{checked_folder, is_beneath};
use crate::{BucketUpstream, BucketUpstreamError, Dialect, Mapping, MappingError, ProxySecret, Root};

/// What an answer may carry besides the headers that a proxy keeps anyway: those of the
/// [`ResponsePlan`](secure_download_core::ResponsePlan), then what layers around it often add. nginx drops all that are not
/// named.
const KEPT: [&str; 20] = [
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "CDN-Cache-Control",
    "Vary",
    "Strict-Transport-Security",
    "X-Frame-Options",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Embedder-Policy",
    "Permissions-Policy",
    "X-Robots-Tag",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
    "Timing-Allow-Origin",
    "Content-Language",
    "Server-Timing",
    "X-Request-Id",
    "Pragma",
];

/// What no client may tell the application. The rendered configuration takes these away from requests.
pub(crate) const SPOOFABLE: [&str; 7] = [
    "X-Accel-Redirect",
    "X-Accel-Limit-Rate",
    "X-Accel-Mapping",
    "X-Sendfile",
    "X-Sendfile-Type",
    "X-Store-Path",
    "X-Store-Query",
];

/// The configuration of a proxy: complete, commented, and safe to quote.
///
/// The rendered text **contains the secret**: keep it where only the server's administrator can read it.
///
/// It is one site, to be put beside others: a file of `sites-enabled` for nginx and Apache, a file that a Caddyfile imports, a
/// file of lighttpd's `conf-enabled`. Several sites on one port need names ([`ProxyConfig::server_name`]). Caddy has options for
/// the whole server too ([`ProxyConfig::server_wide`]). [`ProxyConfig::standalone`] renders a whole configuration file.
///
/// Every rendered configuration
///
/// - opens exactly the file that the application names, of the mapping's folders only, and sends it for an answer of
///   status 200 only (lighttpd cannot tell: see [`Guard`](crate::Guard)),
/// - serves nothing of the folders to clients that ask for them directly,
/// - keeps every header of the [`ResponsePlan`](secure_download_core::ResponsePlan),
/// - does not compress the files ([`ProxyConfig::compressor`]), and answers ranges and conditions itself,
/// - takes away from requests what clients must not tell the application, and adds the secret,
/// - tells the application the scheme, the host and the client's address, one value each ([`ProxyConfig::trusted_hop`]),
/// - passes WebSocket connections and event streams of the application, and no other protocol,
/// - lets uploads of any size through to the application,
/// - writes no access log, or one that cannot hold the token of a link ([`ProxyConfig::access_log`]).
///
/// ```
/// use secure_download_accel_redirect::{Dialect, ListenAddress, Mapping, ProxyConfig, ProxySecret, Root};
///
/// let mapping = Mapping::new([Root::new("/_protected/media", "/srv/media")?])?;
/// let secret = ProxySecret::from_random(&[7; 32]);
/// let text = ProxyConfig::new(Dialect::Nginx, &mapping, &secret)
///     .listen("80".parse::<ListenAddress>()?)
///     .server_name("files.example")?
///     .app("app:8000".parse::<secure_download_accel_redirect::AppAddress>()?)
///     .render();
/// assert!(text.contains("alias \"/srv/media/\";"));
/// assert!(text.contains("server app:8000;"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProxyConfig<'a> {
    dialect: Dialect,
    mapping: Option<&'a Mapping>,
    buckets: Vec<&'a BucketUpstream>,
    secret: &'a ProxySecret,
    listen: ListenAddress,
    names: Vec<Box<str>>,
    app: AppAddress,
    app_resolver: Option<SocketAddr>,
    hops: Vec<IpRange>,
    path: Option<Box<str>>,
    compressors: Vec<Compressor>,
    access_log: Option<Box<str>>,
    idle_limits: bool,
    kept: Vec<String>,
    headers_more: bool,
    standalone: Option<Standalone>,
}

#[derive(Debug, Clone)]
struct Standalone {
    folder: Box<str>,
    user: Option<String>,
}

impl<'a> ProxyConfig<'a> {
    /// The configuration that fits [`AccelRedirect::new`](crate::AccelRedirect::new) with the same three. The proxy
    /// listens on 127.0.0.1:8080 and the application on 127.0.0.1:8000 until told otherwise.
    #[must_use]
    pub fn new(dialect: Dialect, mapping: &'a Mapping, secret: &'a ProxySecret) -> Self {
        Self::with(dialect, Some(mapping), secret)
    }

    /// The configuration that fits [`MaskedBucket::new`](crate::MaskedBucket::new) with the same three, for a proxy that sends
    /// no file from a folder. The addresses are as in [`ProxyConfig::new`].
    ///
    /// Beside what every configuration does, this one
    ///
    /// - fetches from this one server only, over TLS with a verified certificate, and follows its addresses while it
    ///   runs,
    /// - sends it one `Range` and conditions, and nothing else that the client sent: no cookie, no credential, no body,
    /// - shows the client nothing of the bucket's answer but the file, its length, `Content-Range`, `Accept-Ranges`, `ETag` and
    ///   `Last-Modified` (nginx: see [`ProxyConfig::headers_more`]): no redirect, no error page,
    /// - writes no signed URL into a log.
    ///
    /// # Errors
    /// [`BucketUpstreamError::Dialect`] for Apache and lighttpd, [`BucketUpstreamError::Resolver`] for nginx if nobody
    /// looks the server's name up.
    pub fn for_bucket(
        dialect: Dialect,
        bucket: &'a BucketUpstream,
        secret: &'a ProxySecret,
    ) -> Result<Self, BucketUpstreamError> {
        Self::with(dialect, None, secret).bucket(bucket)
    }

    /// Fetches from this bucket too.
    ///
    /// # Errors
    /// As [`ProxyConfig::for_bucket`]; [`BucketUpstreamError::Overlap`] if its location is or lies beneath another.
    pub fn bucket(mut self, bucket: &'a BucketUpstream) -> Result<Self, BucketUpstreamError> {
        if !matches!(self.dialect, Dialect::Nginx | Dialect::Caddy) {
            return Err(BucketUpstreamError::Dialect);
        }
        if self.dialect == Dialect::Nginx && bucket.is_name() && bucket.resolvers().is_empty() {
            return Err(BucketUpstreamError::Resolver);
        }
        let location = bucket.location();
        if self.overlaps(location) || self.path.as_deref().is_some_and(|path| overlap(path, location)) {
            return Err(BucketUpstreamError::Overlap { location: location.to_owned() });
        }
        self.buckets.push(bucket);
        Ok(self)
    }

    fn with(dialect: Dialect, mapping: Option<&'a Mapping>, secret: &'a ProxySecret) -> Self {
        Self {
            dialect,
            mapping,
            buckets: Vec::new(),
            headers_more: false,
            secret,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).into(),
            names: Vec::new(),
            app: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)).into(),
            app_resolver: None,
            hops: Vec::new(),
            path: None,
            compressors: Vec::new(),
            access_log: None,
            idle_limits: false,
            kept: KEPT.map(str::to_owned).into(),
            standalone: None,
        }
    }

    /// The address on which the proxy listens: a `SocketAddr` or a [`ListenAddress`].
    #[must_use]
    pub fn listen(mut self, address: impl Into<ListenAddress>) -> Self {
        self.listen = address.into();
        self
    }

    /// The address of the application: a `SocketAddr` or an [`AppAddress`], which names a host or a Unix socket.
    #[must_use]
    pub fn app(mut self, address: impl Into<AppAddress>) -> Self {
        self.app = address.into();
        self
    }

    /// Keeps one more header of the application on files that nginx sends; the other proxies keep all. Those of the
    /// plan and the usual security headers are kept anyway. A name with other characters than letters, digits, `-` and `_`
    /// is ignored: nginx has no variable for it.
    #[must_use]
    pub fn keep_header(mut self, name: &HeaderName) -> Self {
        let plain =
            name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if plain && !self.kept.iter().any(|kept| kept.eq_ignore_ascii_case(name.as_str())) {
            self.kept.push(name.to_string());
        }
        self
    }

    /// nginx has the headers-more module (Debian: `libnginx-mod-http-headers-more-filter`), with which every header of a
    /// bucket goes but those of the file. nginx itself takes them away by full name only: without the module, names that are
    /// not known here stay visible, such as those of an object's own metadata (`x-amz-meta-*`). Caddy needs nothing.
    #[must_use]
    pub fn headers_more(mut self) -> Self {
        self.headers_more = true;
        self
    }

    /// A whole configuration file, for a server that runs in the foreground on its own. Process id, logs and temporary
    /// files go into `folder`, which must exist.
    ///
    /// # Errors
    /// [`MappingError::Folder`] if the folder's name cannot be quoted safely.
    pub fn standalone(mut self, folder: impl AsRef<Path>) -> Result<Self, MappingError> {
        self.standalone = Some(Standalone { folder: checked_folder(folder.as_ref())?, user: None });
        Ok(self)
    }

    /// As whom nginx's and Apache's workers run if a standalone server is started by root: a plain account name.
    /// Anything else is ignored.
    #[must_use]
    pub fn run_as(mut self, user: &str) -> Self {
        let plain = !user.is_empty()
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if let Some(standalone) = self.standalone.as_mut().filter(|_| plain) {
            standalone.user = Some(user.to_owned());
        }
        self
    }

    /// The configuration's text.
    #[must_use]
    pub fn render(&self) -> String {
        match self.dialect {
            Dialect::Nginx => nginx::render(self),
            Dialect::Caddy => caddy::render(self),
            Dialect::Apache => apache::render(self),
            Dialect::Lighttpd => lighttpd::render(self),
        }
    }

    fn overlaps(&self, path: &str) -> bool {
        let mut locations = self
            .roots()
            .iter()
            .map(Root::location)
            .chain(self.buckets.iter().map(|bucket| bucket.location()));
        locations.any(|location| overlap(path, location))
    }

    /// Whether the application is told something under this name.
    fn says(&self, name: &str) -> bool {
        name == "X-Forwarded-Prefix" && self.path.is_some()
    }

    /// The file of the access log: the one given, or one in the folder of a standalone server.
    fn log_file(&self) -> Option<String> {
        let of_standalone = || self.standalone.as_ref().map(|alone| format!("{}/access.log", alone.folder));
        self.access_log.as_deref().map(str::to_owned).or_else(of_standalone)
    }

    /// What distinguishes the names that this site gives to parts of the server (upstreams, variables) from those of other
    /// rendered sites.
    fn id(&self) -> String {
        let mut parts = vec![self.listen.text(), self.app.to_string()];
        parts.extend(self.names.iter().chain(&self.path).map(ToString::to_string));
        parts.extend(self.hops.iter().map(IpRange::to_string));
        parts.extend(self.roots().iter().map(|root| format!("{}={}", root.location(), root.folder())));
        parts.extend(self.buckets.iter().map(|bucket| format!("{}={}", bucket.location(), bucket.origin())));
        // FNV-1a, 32 bits: the same in every version of Rust.
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = parts.join("\n").bytes().fold(0x811c_9dc5, step);
        format!("{hash:08x}")
    }

    fn roots(&self) -> &'a [Root] {
        self.mapping.map_or(&[], Mapping::roots)
    }

    /// The comment that every file begins with.
    fn preamble(&self) -> String {
        format!(
            "# A reverse proxy that sends the files of an application, for secure-download's accel-redirect ({}).\n\
             # It holds a secret: only the server's administrator may read it.\n",
            self.dialect
        )
    }
}

/// Whether one of two paths is the other or lies beneath it.
fn overlap(one: &str, other: &str) -> bool {
    is_beneath(one, other) || is_beneath(other, one)
}

/// A value between double quotes. Mappings refuse what any of the four would interpret there; a quote alone is escaped,
/// by all in the same way.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

/// `text` with each line indented by `indent`.
fn indented(text: &str, indent: &str) -> String {
    let lines = text.lines().map(|line| match line {
        "" => String::from("\n"),
        line => format!("{indent}{line}\n"),
    });
    lines.collect()
}
