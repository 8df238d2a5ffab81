//! What the system tests share: a served gate, a real S3 server, and clients that see every byte.

mod answer;
mod http1;
mod http2;
mod redis;
mod s3;
mod served;

pub use self::answer::Answer;
pub use self::http1::Http1;
pub use self::http2::Http2;
pub use self::redis::RedisServer;
pub use self::s3::S3Server;
pub use self::served::{allow_everybody, serve, serve_router};
