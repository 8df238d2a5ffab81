//! [`Reader`]: one client that takes its time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::content::Content;

/// A slow client's own buffer, so that its kernel does not take megabytes ahead of it.
const RECEIVE_BUFFER: u32 = 4096;

/// One download under way.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: TcpStream,
    /// How much of the file has come.
    offset: usize,
}

/// A GET with this session, as bytes.
pub(crate) fn request(target: &str, cookie: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\n{cookie}\r\n\r\n").into_bytes()
}

impl Reader {
    pub(crate) async fn connect(address: SocketAddr, request: &[u8]) -> Self {
        let mut reader = Self::ask(address, request).await;
        let head = reader.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        reader
    }

    /// With as large a buffer as the kernel likes.
    pub(crate) async fn fast(address: SocketAddr, request: &[u8]) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request).await.expect("sent");
        let mut reader = Self { stream, offset: 0 };
        assert!(reader.head().await.starts_with("HTTP/1.1 200 "));
        reader
    }

    /// Sends the request and reads nothing.
    pub(crate) async fn ask(address: SocketAddr, request: &[u8]) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(RECEIVE_BUFFER).expect("a buffer");
        let mut stream = socket.connect(address).await.expect("connected");
        stream.write_all(request).await.expect("sent");
        Self { stream, offset: 0 }
    }

    /// The head of the answer.
    pub(crate) async fn head(&mut self) -> String {
        let mut seen = [0; 1024];
        loop {
            let count = self.stream.peek(&mut seen).await.expect("a head");
            assert!(count > 0, "no head");
            if let Some(end) = seen[..count].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = &mut seen[..end + 4];
                self.stream.read_exact(head).await.expect("a head");
                return String::from_utf8(head.to_vec()).expect("ASCII");
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes `rate` bytes a second, no more, and must get them.
    pub(crate) async fn read_slowly(&mut self, content: &Content, rate: usize, time: Duration) {
        // Once a second: the client shares the machine with the server.
        let mut piece = vec![0; rate];
        let started = Instant::now();
        while started.elapsed() < time {
            self.read_piece(content, &mut piece).await;
            let due = Duration::from_secs_f64(self.offset as f64 / rate as f64);
            tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
        }
        let expected = usize::try_from(time.as_secs()).expect("short") * rate * 95 / 100;
        assert!(self.offset >= expected, "{} bytes instead of {expected}", self.offset);
    }

    /// From now on with a buffer for a fast client.
    pub(crate) fn speed_up(&self) {
        SockRef::from(&self.stream).set_recv_buffer_size(4 << 20).expect("an option");
    }

    /// Takes all the rest, as fast as it comes.
    pub(crate) async fn read_to_end(&mut self, content: &Content) {
        let mut piece = vec![0; 64 * 1024];
        let whole = content.bytes().len();
        while self.offset < whole {
            let size = piece.len().min(whole - self.offset);
            self.read_piece(content, &mut piece[..size]).await;
        }
    }

    async fn read_piece(&mut self, content: &Content, piece: &mut [u8]) {
        self.stream.read_exact(piece).await.expect("bytes");
        content.check(self.offset, piece);
        self.offset += piece.len();
    }

    /// Ends the connection with a reset in the middle of the body.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("an option");
    }
}
