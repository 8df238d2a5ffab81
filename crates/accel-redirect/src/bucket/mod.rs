//! A private bucket behind the proxy: the application signs, the proxy fetches, the client sees neither.

mod strategy;
mod upstream;

pub use self::strategy::MaskedBucket;
pub use self::upstream::{BucketUpstream, BucketUpstreamError};
