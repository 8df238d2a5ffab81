//! What the application is told about the visitor, whichever the proxy.

/// Other names under which applications read the visitor's address, scheme, host or path. The rendered configuration takes them
/// away from requests: what `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` say is said once.
pub(crate) const OTHER_NAMES: [&str; 10] = [
    "Forwarded",
    "Front-End-Https",
    "True-Client-IP",
    "X-Client-IP",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Real-IP",
];

/// The last address of `X-Forwarded-For`, in brackets and with a port or without: the first group of a regular expression.
pub(super) const LAST_ADDRESS: &str =
    r"^(?:.*[,\s])?\[?([0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|[0-9.]+)\]?(?::[0-9]+)?\s*$";

/// The last scheme of `X-Forwarded-Proto`: what the application is told, and the expression, without regard to case.
pub(super) const LAST_SCHEMES: [(&str, &str); 2] =
    [("https", r"^(?:.*[,\s])?https\s*$"), ("http", r"^(?:.*[,\s])?http\s*$")];

/// What every configuration says of a trusted hop. Many terminators leave the visitor's `X-Forwarded-Host` in place, and all
/// pass `Host` on.
pub(super) const HOP_NOTE: &str = "\
# The proxy before this one. Its word on the visitor counts, and that of no other peer.
# It must set X-Forwarded-For and -Proto: what it leaves in place is the visitor's word. The host is that of `Host`.
";
