//! What the system tests share: a served gate, real stores, and clients that see every byte.

mod answer;
mod cut;
mod azurite;
mod children;
mod fetch;
mod granted;
mod http1;
mod http2;
mod program;
mod redis;
#[cfg(feature = "stores")]
mod radosgw;
mod s3;
mod served;
#[cfg(feature = "stores")]
mod watched;

pub use self::answer::Answer;
pub use self::cut::cutting;
mod radosgw;
mod signed;
pub use self::azurite::Azurite;
pub use self::fetch::{fetch, fetch_with};
pub use self::granted::granted;
pub use self::http1::Http1;
pub use self::http2::Http2;
pub use self::program::program;
pub use self::redis::RedisServer;
#[cfg(feature = "stores")]
pub use self::radosgw::Radosgw;
pub use self::s3::S3Server;
pub use self::served::{allow_everybody, serve, serve_router};
#[cfg(feature = "stores")]
pub use self::watched::{Request, Watched};
pub use self::radosgw::Radosgw;
pub use self::signed::{ODD_KEYS, SignedStore};
