//! A bucket that only a proxy reaches: by TLS, under a name that a name server knows.

mod authority;
mod bucket;
mod hidden;
mod names;
mod relay;
mod site;

pub use self::authority::CertificateAuthority;
pub use self::bucket::{Asked, TlsBucket};
pub use self::hidden::hides_the_bucket;
pub use self::names::NameServer;
pub use self::relay::TlsRelay;
pub use self::site::{BUCKET_HOST, MaskedSite, MaskingProxy};
