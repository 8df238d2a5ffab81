//! [`TlsRelay`]: a way to a server of TLS for clients that have none.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::ServerName;

use super::CertificateAuthority;

/// Takes connections on a loopback port and brings them to a server by TLS, until the test ends.
#[derive(Debug)]
pub struct TlsRelay;

impl TlsRelay {
    /// Starts one, and says where it listens.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(name: &'static str, to: SocketAddr, trusted: &CertificateAuthority) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let connector = trusted.client();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let connector = connector.clone();
                tokio::spawn(async move {
                    let far = TcpStream::connect(to).await?;
                    let name = ServerName::try_from(name).expect("a name");
                    let mut far = connector.connect(name, far).await?;
                    copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        address
    }
}
