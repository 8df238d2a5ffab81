//! [`cutting`]: a network that fails once.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};

/// Passes connections on to `server`. The first is cut when `bytes` of its answers have gone through, all others last.
///
/// # Panics
/// If there is no port.
pub async fn cutting(server: SocketAddr, bytes: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut limit = bytes;
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, server, limit));
            limit = u64::MAX;
        }
    });
    address
}

async fn pass_on(client: TcpStream, server: SocketAddr, limit: u64) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let requests = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let _ = copy(&mut from_server.take(limit), &mut to_client).await;
    let _ = to_client.shutdown().await;
    requests.abort();
}
