//! How long a peer may stop reading, by how much it has taken.

use std::io;
use std::time::Duration;

use secure_download_tcp::StallGuard;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A guarded connection and its peer.
async fn connected() -> (StallGuard, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
    let (stream, _) = listener.accept().await.expect("accepted");
    (StallGuard::new(stream, STALL_TIMEOUT), peer)
}

#[tokio::test]
async fn who_took_much_may_pause_for_longer() {
    // What the peer reads, and how long it may pause then. The kernel holds some more for it, but no 16 MiB.
    for (reads, minutes) in [(0, 1), (40 << 20, 3)] {
        let (mut guarded, mut peer) = connected().await;
        let (sent, mut taken) = (vec![0; reads], vec![0; reads]);
        let (written, read) = tokio::join!(guarded.write_all(&sent), peer.read_exact(&mut taken));
        written.expect("sent");
        read.expect("read");

        // From here on the clock runs ahead while all tasks wait.
        tokio::time::pause();
        let started = Instant::now();
        let error = guarded.write_all(&vec![0; 16 << 20]).await.expect_err("the peer reads nothing");
        tokio::time::resume();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!((started.elapsed().as_secs() + 1) / 60, minutes, "after {reads} bytes");
        drop(guarded);
        let end = peer.read_to_end(&mut Vec::new()).await.expect_err("reset");
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }
}
