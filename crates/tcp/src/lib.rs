//! What every adapter of secure-download does to the TCP connections that downloads leave by.
//!
//! Applications use it through their adapter: `secure_download::axum::DownloadListener` or
//! `secure_download::actix::DownloadServer`.
//!
//! ```
//! use secure_download_tcp::{STALL_TIMEOUT, StallGuard, tune};
//! use tokio::net::TcpListener;
//!
//! # async fn accept(listener: TcpListener) -> std::io::Result<StallGuard> {
//! let (stream, _) = listener.accept().await?;
//! tune(&stream)?;
//! Ok(StallGuard::new(stream, STALL_TIMEOUT))
//! # }
//! ```

mod stall;
mod tune;

pub use self::stall::{STALL_TIMEOUT, StallGuard};
pub use self::tune::tune;
