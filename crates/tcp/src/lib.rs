//! The connections that downloads leave by: sockets to listen on, socket options, and the guard that cuts stalled clients.
//!
//! Applications use it through their adapter: `secure_download::axum::DownloadListener` or
//! `secure_download::actix::DownloadServer`.
//!
//! ```
//! use std::time::Duration;
//!
//! use secure_download_tcp::{Connection, StallGuard, tune};
//! use tokio::net::TcpListener;
//!
//! # async fn accept(listener: TcpListener) -> std::io::Result<StallGuard> {
//! let (stream, _) = listener.accept().await?;
//! let connection = Connection::from(stream);
//! tune(&connection)?;
//! Ok(StallGuard::new(connection, Duration::from_secs(60)))
//! # }
//! ```

mod connection;
mod host;
mod socket;
mod stall;
mod tune;

pub use self::connection::Connection;
pub use self::host::names_its_host;
pub use self::socket::ListeningSocket;
pub use self::stall::StallGuard;
pub use self::tune::tune;
