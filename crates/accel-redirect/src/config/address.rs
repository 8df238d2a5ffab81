//! [`AppAddress`] and [`ListenAddress`]: the two ends of a proxy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::str::FromStr;

use super::ProxyConfigError;

/// The longest path of a Unix socket (`sun_path` less its final zero byte), in bytes.
const LONGEST_SOCKET_PATH: usize = 107;

/// The longest host name, in bytes (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;

/// The longest label of a host name, in bytes.
const LONGEST_LABEL: usize = 63;

/// The address at which the proxy reaches the application: `HOST:PORT`, a port of this machine, or `unix:/PATH`.
///
/// A host is an IP address or a name, such as that of a container. Caddy and Apache look a name up for each new connection.
/// nginx and lighttpd look it up when they start; nginx follows a changed address with
/// [`ProxyConfig::app_resolver`](crate::ProxyConfig::app_resolver).
///
/// ```
/// use secure_download_accel_redirect::AppAddress;
///
/// for address in ["app:8000", "127.0.0.1:8000", "[::1]:8000", "8000", "unix:/run/app/app.sock"] {
///     let _: AppAddress = address.parse()?;
/// }
/// assert!("app:8000; include /etc/passwd".parse::<AppAddress>().is_err());
/// # Ok::<(), secure_download_accel_redirect::ProxyConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppAddress(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Ip(SocketAddr),
    Name(Box<str>, u16),
    Unix(Box<str>),
}

impl AppAddress {
    /// A Unix socket. The path is absolute and consists of letters, digits and `/ . _ - + @`.
    ///
    /// # Errors
    /// [`ProxyConfigError::Path`] says what is wrong with the path.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, ProxyConfigError> {
        let path = path.as_ref();
        let refuse = |problem| Err(ProxyConfigError::Path { path: path.display().to_string(), problem });
        let Some(text) = path.to_str() else { return refuse("is not UTF-8") };
        if !text.starts_with('/') {
            return refuse("is not absolute: give the socket's path from `/` on");
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte)) {
            return refuse("contains other characters than A-Z a-z 0-9 / . _ - + @");
        }
        if text.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
            return refuse("has an empty segment, `.` or `..`: give the path without it");
        }
        if text.len() > LONGEST_SOCKET_PATH {
            return refuse("is longer than the 107 bytes of a socket's path");
        }
        Ok(Self(Kind::Unix(text.into())))
    }

    /// The address as nginx's `server` in an `upstream` has it, which is that of Caddy too but for sockets.
    pub(super) fn authority(&self) -> String {
        match &self.0 {
            Kind::Ip(address) => address.to_string(),
            Kind::Name(name, port) => format!("{name}:{port}"),
            Kind::Unix(path) => format!("unix:{path}"),
        }
    }

    /// The path of a Unix socket.
    pub(super) fn socket(&self) -> Option<&str> {
        match &self.0 {
            Kind::Unix(path) => Some(path),
            _ => None,
        }
    }

    /// A name that has to be looked up, and the port.
    pub(super) fn name(&self) -> Option<(&str, u16)> {
        match &self.0 {
            Kind::Name(name, port) => Some((name, *port)),
            _ => None,
        }
    }

    /// Host without brackets, and port, unless it is a Unix socket.
    pub(super) fn host(&self) -> Option<(String, u16)> {
        match &self.0 {
            Kind::Ip(address) => Some((address.ip().to_string(), address.port())),
            Kind::Name(name, port) => Some((name.to_string(), *port)),
            Kind::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for AppAddress {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Ip(without_scope(address)))
    }
}

impl FromStr for AppAddress {
    type Err = ProxyConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(path);
        }
        if let Some(address) = socket_address(text) {
            return Ok(address.into());
        }
        if let Some(port) = port(text) {
            return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into());
        }
        let refuse = || ProxyConfigError::App { address: text.to_owned() };
        let (name, digits) = text.rsplit_once(':').ok_or_else(refuse)?;
        let port = port(digits).ok_or_else(refuse)?;
        Ok(Self(Kind::Name(checked_name(name)?, port)))
    }
}

impl fmt::Display for AppAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority())
    }
}

/// The address on which the proxy listens: a port on every address of the machine, or an IP address and a port.
///
/// ```
/// use secure_download_accel_redirect::ListenAddress;
///
/// for address in ["80", "127.0.0.1:8080", "[::1]:8080", "localhost:8080"] {
///     let _: ListenAddress = address.parse()?;
/// }
/// # Ok::<(), secure_download_accel_redirect::ProxyConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` for every address.
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
}

impl ListenAddress {
    /// As nginx and Apache write it: the port alone, or address and port.
    pub(super) fn text(self) -> String {
        self.ip.map_or_else(|| self.port.to_string(), |ip| SocketAddr::new(ip, self.port).to_string())
    }

    /// An address of which the kernel may choose more than one.
    pub(super) fn is_any(self) -> bool {
        self.ip.is_none_or(|ip| ip.is_unspecified())
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self { ip: Some(address.ip()), port: address.port() }
    }
}

impl FromStr for ListenAddress {
    type Err = ProxyConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(address) = socket_address(text) {
            return Ok(address.into());
        }
        // RFC 6761 section 6.3: never another machine.
        if let Some(port) = text.strip_prefix("localhost:").and_then(port) {
            return Ok(Self { ip: Some(Ipv4Addr::LOCALHOST.into()), port });
        }
        match port(text) {
            Some(port) => Ok(Self { ip: None, port }),
            None => Err(ProxyConfigError::Listen { address: text.to_owned() }),
        }
    }
}

/// A host name as configurations and DNS have it, in lower case. A dot at its end, which names the root, is kept.
pub(super) fn checked_name(name: &str) -> Result<Box<str>, ProxyConfigError> {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    // What ends in a number is an address, or an attempt at one (WHATWG URL, "ends in a number").
    let is_number = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_digit())
            || label.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"))
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    if labels.len() > LONGEST_NAME || !labels.split('.').all(is_label) || is_number(last) {
        return Err(ProxyConfigError::Name { name: name.to_owned() });
    }
    Ok(name.to_ascii_lowercase().into())
}

/// An IP address with a port that is not 0 and without a scope, which no configuration here can have.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    (address.port() != 0 && without_scope(address) == address).then_some(address)
}

fn without_scope(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(address) => SocketAddrV6::new(*address.ip(), address.port(), 0, 0).into(),
    }
}

fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| plain && port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that would end a statement, open a block, or name something else in one of the configurations.
    const HOSTILE: [&str; 30] = [
        "",
        " ",
        ":",
        "app",
        "app:",
        ":8000",
        "app:0",
        "app:65536",
        "app:+80",
        "app: 80",
        "app:80 ",
        "app:8000;",
        "a b:80",
        "app;:80",
        "app{:80",
        "app}:80",
        "app$x:80",
        "app\n:80",
        "app\":80",
        "app'x:80",
        "http://app:80",
        "app:80/x",
        "app|x:80",
        "-app:80",
        "app-:80",
        "a..b:80",
        "é:80",
        "1.2.3:80",
        "0x7f.0x1:80",
        "[fe80::1%2]:80",
    ];

    #[test]
    fn addresses_of_the_application_are_of_three_forms_or_refused() {
        for (text, kept) in [
            ("app:8000", "app:8000"),
            ("My_App.ns.svc.cluster.local.:80", "my_app.ns.svc.cluster.local.:80"),
            ("xn--bcher-kva.example:80", "xn--bcher-kva.example:80"),
            ("localhost:8000", "localhost:8000"),
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]:8000", "[::1]:8000"),
            ("8000", "127.0.0.1:8000"),
            ("unix:/run/app/app@1.sock", "unix:/run/app/app@1.sock"),
        ] {
            assert_eq!(text.parse::<AppAddress>().map(|address| address.to_string()).as_deref(), Ok(kept));
        }
        let long = format!("{}:80", "a".repeat(64));
        for text in HOSTILE.into_iter().chain([long.as_str()]) {
            assert!(text.parse::<AppAddress>().is_err(), "{text:?}");
        }
        let long = format!("unix:/{}", "a".repeat(LONGEST_SOCKET_PATH));
        for path in [
            "unix:",
            "unix:app.sock",
            "unix:/",
            "unix:/run/../app",
            "unix:/run//app",
            "unix:/run/app/",
            "unix:/a b",
            "unix:/a;b",
            "unix:/a{b",
            "unix:/a|b",
            "unix:/a\nb",
            "unix:/a:b",
            "unix:/a$b",
            "unix:@abstract",
            &long,
        ] {
            assert!(matches!(path.parse::<AppAddress>(), Err(ProxyConfigError::Path { .. })), "{path:?}");
        }
    }

    #[test]
    fn addresses_to_listen_on_are_ports_or_ip_addresses() {
        for (text, kept) in [
            ("80", "80"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::]:80", "[::]:80"),
        ] {
            assert_eq!(text.parse::<ListenAddress>().map(ListenAddress::text).as_deref(), Ok(kept));
        }
        for text in HOSTILE.into_iter().chain(["app:80", "unix:/run/x", "*:80", "80;"]) {
            assert!(
                matches!(text.parse::<ListenAddress>(), Err(ProxyConfigError::Listen { .. })),
                "{text:?}"
            );
        }
    }
}
