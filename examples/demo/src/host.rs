//! Hosts as `Host`, `:authority` and `Origin` name them.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use http::Uri;
use http::header::HOST;
use http::uri::Authority;

/// The name in `HOST[:PORT]`; nothing if it is malformed, or has user information before it.
pub(crate) fn name(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok().filter(|_| !host.contains('@'))?;
    let name = authority.host();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// Whether `HOST[:PORT]` names this machine for every browser: 127.0.0.0/8, `[::1]`, `localhost` and names below it
/// (RFC 6761 section 6.3).
pub(crate) fn is_loopback(host: &str) -> bool {
    let Some(name) = name(host) else { return false };
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|address| address.to_canonical().is_loopback());
    }
    let name = name.strip_suffix('.').unwrap_or(&name);
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// Whether the `Origin` (`SCHEME://HOST[:PORT]`) names `HOST[:PORT]`. The scheme is left out of it, because a TLS proxy in
/// front changes it.
pub(crate) fn is_origin_of(origin: &str, host: &str) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let (Some(authority), Ok(host)) = (origin.authority(), host.parse::<Authority>()) else {
        return false;
    };
    authority.host().eq_ignore_ascii_case(host.host())
        && authority.port_u16().unwrap_or(default_port) == host.port_u16().unwrap_or(default_port)
}

/// What a request calls the host: in its target, as in HTTP/2 and for proxies, and in every `Host`.
pub(crate) fn named<'a>(
    authority: Option<&'a str>,
    headers: &'a HeaderMap,
) -> impl Iterator<Item = Option<&'a str>> {
    let lines = headers.get_all(HOST).into_iter().map(|line| line.to_str().ok());
    authority.map(Some).into_iter().chain(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in [
            "localhost",
            "LocalHost:8000",
            "localhost.",
            "alice.localhost:8000",
            "127.0.0.1",
            "127.0.0.1:8000",
            "127.8.9.10:1",
            "[::1]",
            "[::1]:8000",
            "[0:0::1]",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ":8000",
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "evil-localhost",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "localhost/evil.example",
            "localhost evil.example",
            "localhost,evil.example",
            "0.0.0.0:8000",
            "[::]:8000",
            "10.0.0.7",
            "192.168.0.1:8000",
            "[::ffff:10.0.0.7]",
            "[fe80::1]",
            "128.0.0.1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
