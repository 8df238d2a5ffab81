//! [`ListeningSocket`]: where an application listens.

use std::fmt;
use std::io;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::{Path, PathBuf};

/// A socket that listens: on a TCP port, on a path of the file system, or handed over by systemd.
///
/// ```
/// use secure_download_tcp::ListeningSocket;
///
/// let socket = ListeningSocket::bind("127.0.0.1:0")?;
/// println!("listening on {socket}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ListeningSocket {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl ListeningSocket {
    /// Listens where the text says:
    ///
    /// | text | means |
    /// |---|---|
    /// | `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000` | a TCP port; port 0 picks a free one |
    /// | `unix:/run/app.sock` | a Unix socket; a file that a process which has ended left behind is replaced |
    /// | `systemd` | the first socket that systemd hands over (`LISTEN_FDS`, `sd_listen_fds(3)`), TCP or Unix |
    ///
    /// # Errors
    /// If the address is not one, is in use, or may not be used; for `systemd`, [`NotFound`](io::ErrorKind::NotFound) if
    /// systemd handed over no socket.
    pub fn bind(address: &str) -> io::Result<Self> {
        match address {
            #[cfg(unix)]
            "systemd" => inherited(),
            #[cfg(unix)]
            _ if address.starts_with("unix:") => {
                bind_path(Path::new(&address["unix:".len()..])).map(Self::Unix)
            }
            #[cfg(not(unix))]
            _ if address == "systemd" || address.starts_with("unix:") => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this system has no such sockets: listen on ADDRESS:PORT",
            )),
            _ => TcpListener::bind(address).map(Self::Tcp),
        }
    }

    /// The TCP address, or `None` for a Unix socket.
    #[must_use]
    pub fn tcp_address(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// The path of a Unix socket that has one.
    #[cfg(unix)]
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(listener) => listener.local_addr().ok()?.as_pathname().map(Path::to_owned),
        }
    }
}

/// `ADDRESS:PORT` or `unix:PATH`.
impl fmt::Display for ListeningSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(unix)]
        if let Some(path) = self.path() {
            return write!(f, "unix:{}", path.display());
        }
        match self.tcp_address() {
            Some(address) => address.fmt(f),
            None => f.write_str("unix:"),
        }
    }
}

impl From<TcpListener> for ListeningSocket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for ListeningSocket {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

#[cfg(unix)]
fn bind_path(path: &Path) -> io::Result<UnixListener> {
    if path.as_os_str().is_empty() {
        // The kernel would pick a name that no client can find.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "name a path after `unix:`"));
    }
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

/// Whether a path is a socket on which no process listens.
#[cfg(unix)]
fn is_left_behind(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(unix)]
fn inherited() -> io::Result<ListeningSocket> {
    let mut sockets = listenfd::ListenFd::from_env();
    // Each look returns a socket of another kind to its place.
    if let Ok(Some(listener)) = sockets.take_tcp_listener(0) {
        return Ok(ListeningSocket::Tcp(listener));
    }
    match sockets.take_unix_listener(0)? {
        Some(listener) => Ok(ListeningSocket::Unix(listener)),
        None => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "systemd handed over no socket: start the application by a .socket unit, which sets LISTEN_FDS",
        )),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_where_to_listen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = format!("unix:{}", folder.path().join("app.sock").display());
        let tcp = ListeningSocket::bind("localhost:0").expect("a port");
        assert_eq!(tcp.to_string(), tcp.tcp_address().expect("TCP").to_string());

        let first = ListeningSocket::bind(&path).expect("bound");
        assert_eq!((first.to_string(), first.tcp_address()), (path.clone(), None));
        let in_use = ListeningSocket::bind(&path).expect_err("a process listens there");
        assert_eq!(in_use.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        let again = ListeningSocket::bind(&path).expect("what an ended process left is replaced");
        drop(again);

        let file = folder.path().join("a file");
        std::fs::write(&file, "kept").expect("written");
        ListeningSocket::bind(&format!("unix:{}", file.display())).expect_err("it is a file");
        assert_eq!(std::fs::read(&file).expect("read"), b"kept");

        for wrong in ["", "8000", "nowhere:x", "unix:", "unix:/nowhere/at/all"] {
            ListeningSocket::bind(wrong).expect_err(wrong);
        }
        let missing = ListeningSocket::bind("systemd").expect_err("no LISTEN_FDS in this process");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
