//! nginx: maps that stand before a site's `server`.

use std::fmt::Write as _;

use super::ProxyConfig;
use super::visitor::{HOP_NOTE, LAST_ADDRESS, LAST_SCHEMES};

/// Values for the application's headers, as nginx writes variables.
pub(super) struct Visitor {
    pub(super) address: String,
    pub(super) scheme: String,
}

pub(super) fn visitor(config: &ProxyConfig<'_>) -> Visitor {
    let variable = |own: &str, name: &str| match config.hops.is_empty() {
        true => own.to_owned(),
        false => format!("$sd_{}_{name}", config.id()),
    };
    Visitor { address: variable("$remote_addr", "address"), scheme: variable("$scheme", "scheme") }
}

pub(super) fn maps(config: &ProxyConfig<'_>) -> String {
    let id = config.id();
    let mut text = String::new();
    if !config.hops.is_empty() {
        let _ = write!(
            text,
            "\n{HOP_NOTE}# Of two lines X-Forwarded-Proto, nginx before 1.23 sees the first.\n\
             geo $sd_{id}_hop {{\n    default 0;\n"
        );
        for hop in &config.hops {
            let _ = writeln!(text, "    {hop} 1;");
        }
        text.push_str("}\n");
        let said = format!("sd_{id}_address_said");
        let _ = writeln!(
            text,
            "map \"$sd_{id}_hop:$http_x_forwarded_for\" $sd_{id}_address {{\n    \"~{}\" ${said};\n    \
             default $remote_addr;\n}}",
            named(&of_hop(LAST_ADDRESS), &said),
        );
        let _ = writeln!(text, "map \"$sd_{id}_hop:$http_x_forwarded_proto\" $sd_{id}_scheme {{");
        for (scheme, expression) in LAST_SCHEMES {
            let _ = writeln!(text, "    \"~*{}\" {scheme};", of_hop(expression));
        }
        text.push_str("    default $scheme;\n}\n");
    }
    let _ = write!(
        text,
        r#"
# WebSockets of the application pass. No other protocol does: it would be a tunnel past what stands below.
map $http_upgrade $sd_{id}_upgrade {{
    "~*^websocket$" websocket;
    default "";
}}
map $http_upgrade $sd_{id}_connection {{
    "~*^websocket$" upgrade;
    default "";
}}
"#
    );
    if let Some(path) = &config.path {
        let _ = write!(
            text,
            r#"
# What the application is asked: the request's target byte for byte, without the path that it lives below.
map $request_uri $sd_{id}_beneath {{
    "~^{path}(?<sd_{id}_rest>/.*)$" $sd_{id}_rest;
    default "";
}}
"#,
            path = path.replace('.', "[.]"),
        );
    }
    if config.log_file().is_some() {
        let visitor = visitor(config);
        let _ = write!(
            text,
            r#"
# Tokens of links are long segments of paths, signatures stand in queries: neither is logged.
map $request_uri $sd_{id}_logged {{
    "~^(?<sd_{id}_shown>(?:/[^/?]{{0,39}}(?=[/?]|$))*)(?:[?]|$)" $sd_{id}_shown;
    "~^(?<sd_{id}_shown>(?:/[^/?]{{0,39}}(?=[/?]|$))*)" "$sd_{id}_shown/[cut]";
    default "[cut]";
}}
# The last field is the audit id of a handed-off file, if the application tells it.
log_format sd_{id} '{address} [$time_iso8601] "$request_method $sd_{id}_logged $server_protocol" $status $body_bytes_sent '
                  '$request_completion $upstream_http_x_secure_download_audit_id';
"#,
            address = visitor.address,
        );
    }
    text
}

/// The expression behind the mark of a trusted hop.
fn of_hop(expression: &str) -> String {
    format!("^1:{}", expression.trim_start_matches('^'))
}

/// The expression with its first plain group under a name.
fn named(expression: &str, name: &str) -> String {
    let plain = expression.match_indices('(').find(|(at, _)| !expression[*at..].starts_with("(?"));
    match plain {
        Some((at, _)) => format!("{}(?<{name}>{}", &expression[..at], &expression[at + 1..]),
        None => expression.to_owned(),
    }
}
