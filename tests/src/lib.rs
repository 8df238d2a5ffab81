//! What the system tests share: a served gate, real proxies and stores, and clients that see every byte.

mod answer;
#[cfg(feature = "stores")]
mod azurite;
#[cfg(feature = "stores")]
mod children;
mod cut;
mod fetch;
mod front;
#[cfg(feature = "stores")]
mod garage;
mod http1;
mod http2;
mod leaks;
#[cfg(feature = "stores")]
mod masked;
mod program;
mod proxy;
#[cfg(feature = "stores")]
mod radosgw;
mod redis;
#[cfg(feature = "stores")]
mod s3;
mod served;
#[cfg(feature = "stores")]
mod signed;
#[cfg(feature = "stores")]
mod watched;

pub use self::answer::Answer;
#[cfg(feature = "stores")]
pub use self::azurite::Azurite;
pub use self::cut::cutting;
pub use self::fetch::{fetch, fetch_with};
pub use self::front::Front;
#[cfg(feature = "stores")]
pub use self::garage::Garage;
pub use self::http1::Http1;
pub use self::http2::Http2;
pub use self::leaks::leak_in;
#[cfg(feature = "stores")]
pub use self::masked::{
    Asked, BUCKET_HOST, CertificateAuthority, MaskedSite, MaskingProxy, NameServer, TlsBucket, TlsRelay,
    hides_the_bucket,
};
pub use self::program::program;
pub use self::proxy::{
    DOCTOR_TOKEN, MISTAKES, Mistake, ProxyServer, ProxySite, Running, SECRET, SiteBuilder, doctor_token,
    replaced, start_sites,
};
#[cfg(feature = "stores")]
pub use self::radosgw::Radosgw;
pub use self::redis::RedisServer;
#[cfg(feature = "stores")]
pub use self::s3::S3Server;
pub use self::served::{allow_everybody, serve, serve_router};
#[cfg(feature = "stores")]
pub use self::signed::{ODD_KEYS, SignedStore};
#[cfg(feature = "stores")]
pub use self::watched::{Request, Watched};
pub use secure_download_conformance::signer::grant;
