//! Real reverse proxies, configured by the library, in front of a real application.

mod mistakes;
mod server;
mod several;
mod site;

pub use self::mistakes::{MISTAKES, Mistake, replaced};
pub use self::server::{ProxyServer, Running};
pub use self::several::start_sites;
pub use self::site::{DOCTOR_TOKEN, ProxySite, SECRET, SiteBuilder, doctor_token};
