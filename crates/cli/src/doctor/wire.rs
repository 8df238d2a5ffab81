//! [`Wire`]: one connection to the site, on which the doctor writes requests byte by byte.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::site::Site;
use super::trust::Trust;

const TIMEOUT: Duration = Duration::from_secs(10);

/// No answer to these requests is longer.
const LONGEST: u64 = 1 << 20;

pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub(super) fn connect(site: &Site, trust: &Trust) -> Result<Self, String> {
        let host = site.host().trim_matches(['[', ']']);
        let addresses = (host, site.port()).to_socket_addrs().map_err(|error| error.to_string())?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return Self::over(stream, site, trust),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    fn over(stream: TcpStream, site: &Site, trust: &Trust) -> Result<Self, String> {
        stream.set_read_timeout(Some(TIMEOUT)).map_err(|error| error.to_string())?;
        stream.set_write_timeout(Some(TIMEOUT)).map_err(|error| error.to_string())?;
        if !site.is_tls() {
            return Ok(Self::Plain(stream));
        }
        let connection = trust.connection(site.host())?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.flush()
    }

    /// What comes until the server ends the connection.
    pub(super) fn read_all(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        match self.take(LONGEST).read_to_end(&mut all) {
            // TLS without a farewell ends so.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(all),
        }
    }

    /// Waits for bytes or for the end, at most `time`. `None` if neither came; an empty piece is the end.
    pub(super) fn wait(&mut self, time: Duration) -> Option<Vec<u8>> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        };
        socket.set_read_timeout(Some(time)).ok()?;
        let mut piece = vec![0; 4096];
        match self.read(&mut piece) {
            Ok(length) => {
                piece.truncate(length);
                Some(piece)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            Err(_) => Some(Vec::new()),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
