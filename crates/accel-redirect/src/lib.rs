//! The accel-redirect strategy: the application answers with headers, its reverse proxy sends the file.
//!
//! The application spends the same few microseconds on a file of any size. The proxy must be configured for it, and
//! mistakes there are silent: empty files, wrong files, lost headers, files for whoever asks. So the configuration is rendered from
//! the same [`Mapping`] that the strategy uses ([`ProxyConfig`]), and the proxy proves on each request that it is there
//! ([`ProxySecret`]).
//!
//! | proxy | tested | told by | entity tag | rate limit | symbolic links out of the folder |
//! |---|---|---|---|---|---|
//! | nginx | 1.22 | `X-Accel-Redirect` | nginx's | yes | refused |
//! | Caddy | 2.6, 2.11 | `X-Accel-Redirect` | Caddy's | streamed instead | followed: no switch |
//! | Apache, `mod_xsendfile` 0.12 | 2.4 | `X-Sendfile` | the application's, if known | streamed instead | followed: no switch |
//! | lighttpd | 1.4.69 | `X-Sendfile` | the application's, if known | streamed instead | refused |
//!
//! With the rendered configuration:
//!
//! | proxy | a client that takes nothing | a head that never ends | a changed address of the application's name | a FIFO in the folder | [`X-Forwarded-For`](ProxyConfig::trusted_hop) from a trusted hop |
//! |---|---|---|---|---|---|
//! | nginx | cut after 60 s | cut after 60 s | [`ProxyConfig::app_resolver`] | refused | the visitor |
//! | Caddy | from 2.11 on cut after 60 s ([`ProxyConfig::idle_limits`]); older versions hold it: stream large files there | cut after 30 s | followed | waits for a writer: no switch | the visitor |
//! | Apache | cut after 60 s | cut after 20 to 40 s, with `mod_reqtimeout` | followed | refused | the visitor |
//! | lighttpd | cut after 60 s | cut 60 s after its last byte: one that trickles is held | a restart | refused | what the hop says, then the hop; only of HTTPS |
//!
//! ```
//! use secure_download_accel_redirect::{AccelRedirect, Dialect, Mapping, ProxyConfig, ProxySecret, Root};
//! use secure_download_core::{Decision, Download, FirstOf, Gate, signed_in};
//! use secure_download_stream::Stream;
//!
//! struct User { admin: bool }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let media = tempfile::tempdir()?;
//! # let media = media.path();
//! # let from_environment = "0123456789abcdef0123456789abcdef";
//! # let catalog = std::collections::HashMap::<String, Download>::new();
//! let mapping = Mapping::new([Root::new("/_protected/media", media)?])?;
//! let secret = ProxySecret::new(from_environment)?;
//! // Once, for the proxy; `secure-download proxy-config` does the same on the command line.
//! let nginx_conf = ProxyConfig::new(Dialect::Nginx, &mapping, &secret).render();
//!
//! let accel = AccelRedirect::new(Dialect::Nginx, mapping, secret);
//! let guard = accel.guard(); // a layer for the whole application
//! let gate = Gate::builder(catalog)
//!     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.admin)))
//!     .strategy(FirstOf::new(accel).or(Stream::local(media)?))
//!     .build();
//! # let _ = (gate, guard, nginx_conf);
//! # Ok(())
//! # }
//! ```
//!
//! # A bucket behind the proxy
//!
//! With [`MaskedBucket`] the proxy (nginx or Caddy) fetches the file from private object storage: the application signs a
//! URL that only the proxy sees. The client sees no redirect and no name of the bucket, the bucket sees nothing of the client
//! but `Range` and conditions. [`ProxyConfig::for_bucket`] renders the configuration.
//!
//! ```
//! use secure_download_accel_redirect::{BucketUpstream, Dialect, MaskedBucket, ProxyConfig, ProxySecret};
//! use secure_download_presign::{Credentials, S3Bucket, S3Signer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (access_key, secret_key) = ("access-key", "secret-key");
//! # let secret = ProxySecret::from_random(&[7; 32]);
//! let bucket = S3Bucket::aws("eu-central-1", "scans")?;
//! let upstream = BucketUpstream::new("/_bucket", "https://scans.s3.eu-central-1.amazonaws.com")?;
//! let caddyfile = ProxyConfig::for_bucket(Dialect::Caddy, &upstream, &secret)?.render();
//! let signer = S3Signer::new(bucket, Credentials::new(access_key, secret_key)?);
//! let strategy = MaskedBucket::new(Dialect::Caddy, upstream, signer, secret)?;
//! # let _ = (strategy, caddyfile);
//! # Ok(())
//! # }
//! ```
//!
//! | | nginx | nginx with headers-more | Caddy |
//! |---|---|---|---|
//! | the bucket's own headers | hidden by name; `x-amz-meta-*` and others stay visible | hidden | hidden |
//! | a changed address | followed by its TTL | followed by its TTL | followed within 5 s |
//! | connections to the bucket | one for each download | one for each download | kept |
//! | a missing object | 404; 502 if the signer's credentials may not list the bucket | same | same |
//! | `Content-Disposition` on such an answer | stays | removed | removed |
//! | a transfer rate | kept | kept | declined |
//!
//! # Figures
//!
//! Handed off by nginx, over streamed through the same nginx (`cargo xtask load handoff`; `docs/benchmarks` has the whole
//! table):
//!
//! | | 1 KB | 46 KB | 1 MB | 100 MB |
//! |---|---|---|---|---|
//! | files per second | 0.56 | 0.96 | 2.26 | 1.25 |
//! | processor time of both | 1.78 | 1.02 | 0.41 | 0.27 |
//!
//! So small files are better streamed: opening one costs the proxy more than passing its bytes on. What a hand-off always
//! saves is the application: it sends no byte.
//!
//! # Hazards
//!
//! - **A layer that changes the status of a finished answer.** An error page over a 200 that hands off would send the
//!   file under another status, or show where it lies. The [`Guard`] as the outermost layer takes the hand-off away.
//! - **A missing file.** The application does not look. nginx and Caddy send their own 404 with the download's
//!   `Content-Disposition` and `Cache-Control`.
//! - **A strategy behind this one has validators of its own.** Downloads that are sometimes handed off and sometimes
//!   streamed change their entity tag: a client that resumes gets the whole file again.
//! - **Compression in the proxy** of handed-off files breaks ranges. The rendered configuration has it off, modules of nginx and
//!   lighttpd if they are named ([`ProxyConfig::compressor`]).

#[cfg(feature = "actix")]
mod actix;
mod bucket;
mod config;
mod dialect;
#[cfg(feature = "doctor")]
pub mod doctor;
mod escape;
mod guard;
#[cfg(feature = "tower")]
mod layer;
mod mapping;
mod proof;
mod strategy;

#[cfg(feature = "actix")]
pub use self::actix::GuardedService;
pub use self::bucket::{BucketUpstream, BucketUpstreamError, MaskedBucket};
pub use self::config::{AppAddress, Compressor, IpRange, ListenAddress, ProxyConfig, ProxyConfigError};
pub use self::dialect::{Dialect, UnknownDialect};
pub use self::guard::Guard;
#[cfg(feature = "tower")]
pub use self::layer::{Guarded, GuardedFuture};
pub use self::mapping::{Mapping, MappingError, Root};
pub use self::proof::{ProxySecret, ProxySecretError};
pub use self::strategy::AccelRedirect;
