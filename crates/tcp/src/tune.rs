//! [`tune`]: socket options for downloads.

use std::io;

use socket2::SockRef;

use crate::Connection;

/// How many bytes the kernel takes that were not sent yet. Measured: 22 to 24 KiB of kernel memory for each slow
/// reader instead of 2 to 3 MB, and fast readers are no slower.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 16 * 1024;

/// Prepares a connection for downloads.
///
/// - `TCP_NODELAY`, so that no answer waits for an acknowledgement.
/// - `TCP_NOTSENT_LOWAT`, on Linux, so that the kernel does not hold megabytes for every slow reader. The send buffer itself
///   stays as large as fast readers need it.
///
/// A Unix socket has neither option and needs none: its buffer is small.
///
/// # Errors
/// The kernel's. The connection works all the same, so that an adapter may go on: the peer may be gone already.
pub fn tune(connection: &Connection) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(irrefutable_let_patterns, reason = "there is one kind of connection"))]
    let Connection::Tcp(stream) = connection else { return Ok(()) };
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_tuned_connection_sends_at_once_and_holds_little() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let connection = Connection::from(stream);
        tune(&connection).expect("tuned");
        let Connection::Tcp(stream) = &connection else { unreachable!("it is TCP") };
        let socket = SockRef::from(stream);
        assert!(socket.tcp_nodelay().expect("an option"));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(socket.tcp_notsent_lowat().expect("an option"), UNSENT);
    }
}
