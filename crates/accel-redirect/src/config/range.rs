//! [`IpRange`]: addresses of a hop that is trusted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::ProxyConfigError;

/// IP addresses with a common prefix, such as `10.0.0.0/8`, or one address.
///
/// ```
/// use secure_download_accel_redirect::IpRange;
///
/// let range: IpRange = "10.1.2.3/8".parse()?;
/// assert_eq!(range.to_string(), "10.0.0.0/8");
/// // A hop that is everywhere is every client.
/// assert!("0.0.0.0/0".parse::<IpRange>().is_err());
/// # Ok::<(), secure_download_accel_redirect::ProxyConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    first: IpAddr,
    prefix: u32,
}

impl IpRange {
    fn whole(address: IpAddr) -> Self {
        Self { first: address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// IPv4 addresses that are mapped in IPv6 ones as IPv4 (RFC 4291 section 2.5.5.2). `None` for all of them.
    fn canonical(self) -> Option<Self> {
        match (self.first.to_canonical(), self.first) {
            (IpAddr::V4(_), IpAddr::V6(_)) if self.prefix == 96 => None,
            (first @ IpAddr::V4(_), IpAddr::V6(_)) if self.prefix > 96 => {
                Some(Self { first, prefix: self.prefix - 96 })
            }
            _ => Some(self),
        }
    }

    /// One address without a prefix, which lighttpd asks for.
    pub(super) fn shortest(self) -> String {
        if self == self.first.into() { self.first.to_string() } else { self.to_string() }
    }
}

impl From<IpAddr> for IpRange {
    fn from(address: IpAddr) -> Self {
        // Servers compare the IPv4 address that is mapped in an IPv6 one.
        Self::whole(address.to_canonical())
    }
}

impl FromStr for IpRange {
    type Err = ProxyConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ProxyConfigError::Range { range: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| refuse())?;
        let Some(prefix) = prefix else { return Ok(address.into()) };
        let whole = Self::whole(address);
        let plain = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix =
            prefix.parse().ok().filter(|&prefix| plain && prefix <= whole.prefix).ok_or_else(refuse)?;
        if prefix == 0 {
            return Err(ProxyConfigError::Everyone { range: text.to_owned() });
        }
        let first = match whole.first {
            IpAddr::V4(address) => {
                Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - prefix))).into()
            }
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - prefix))).into()
            }
        };
        Self { first, prefix }
            .canonical()
            .ok_or_else(|| ProxyConfigError::Everyone { range: text.to_owned() })
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_masked_or_refused() {
        for (text, kept) in [
            ("127.0.0.1", "127.0.0.1/32"),
            ("10.9.8.7/8", "10.0.0.0/8"),
            ("172.31.255.255/12", "172.16.0.0/12"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::ffff:10.0.0.1/128", "10.0.0.1/32"),
            ("::ffff:10.9.8.7/104", "10.0.0.0/8"),
            ("fd00:1:2:3::4/48", "fd00:1:2::/48"),
        ] {
            assert_eq!(text.parse::<IpRange>().map(|range| range.to_string()).as_deref(), Ok(kept));
        }
        for text in [
            "",
            "app",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "::1/129",
            "10.0.0.0/8;",
            "10.0.0.0/8 1",
            "10/8",
        ] {
            assert!(matches!(text.parse::<IpRange>(), Err(ProxyConfigError::Range { .. })), "{text:?}");
        }
        for text in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
            assert!(matches!(text.parse::<IpRange>(), Err(ProxyConfigError::Everyone { .. })), "{text:?}");
        }
    }
}
