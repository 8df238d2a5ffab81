//! Faults of the whole site, whatever the file.

use secure_download_accel_redirect::Dialect;

use super::{Fault, fault};
use crate::doctor::client::Seen;

/// Faults that show before anything else.
pub(in crate::doctor) fn unreached(seen: &Seen) -> Vec<Fault> {
    let token = fault(
        "doctor-token",
        "the token is wrong, spent or expired",
        "mount the doctor with a new token; each opens one examination",
    );
    let mount = fault(
        "doctor-not-mounted",
        "the application does not mount the doctor",
        "build it with the feature `doctor` and mount Doctor under /.secure-download-doctor",
    );
    let stripped = fault(
        "headers-stripped",
        "a layer in front of the application takes Authorization or X-Secure-Download-Doctor away",
        "let both headers through while the deployment is checked",
    );
    if seen.status == 200 && seen.body.is_empty() && seen.field("server") == Some("Caddy") {
        return vec![fault(
            "caddy-site",
            "no site address of the Caddyfile matches this host, so Caddy answers itself",
            "http://:PORT {        # or the host name that clients use",
        )];
    }
    vec![token, mount, stripped]
}

/// What a proof that is not right says.
pub(in crate::doctor) fn unproven(dialect: Dialect, proof: &str) -> Vec<Fault> {
    let line = |name: &str, value: &str| match dialect {
        Dialect::Nginx => format!("proxy_set_header {name} \"{value}\";"),
        Dialect::Caddy => format!("header_up {name} \"{value}\""),
        Dialect::Apache => format!("RequestHeader set {name} \"{value}\""),
        Dialect::Lighttpd => format!("setenv.set-request-header += ( \"{name}\" => \"{value}\" )"),
    };
    let set = line("X-Secure-Download-Proof", "<the application's secret>");
    match proof {
        "absent" => vec![
            fault("proof-missing", "the proxy does not add the secret", set),
            fault(
                "around-the-proxy",
                "this address leads to the application itself",
                "let clients reach the proxy only",
            ),
        ],
        "repeated" => {
            vec![fault(
                "proof-added",
                "the proxy adds the secret to what clients send, in place of replacing",
                set,
            )]
        }
        _ => vec![
            fault("proof-differs", "proxy and application have different secrets", set.clone()),
            fault("proof-passed-on", "what a client sends as proof reaches the application", set),
        ],
    }
}

/// A request header of the proxy's language reached the application.
pub(in crate::doctor) fn spoofable(dialect: Dialect, names: &[&str]) -> Vec<Fault> {
    let line = |name: &&str| match dialect {
        Dialect::Nginx => format!("proxy_set_header {name} \"\";\n"),
        Dialect::Caddy => format!("header_up -{name}\n"),
        Dialect::Apache => format!("RequestHeader unset {name}\n"),
        Dialect::Lighttpd => format!("setenv.set-request-header += ( \"{name}\" => \"\" )\n"),
    };
    let mend: String = names.iter().map(line).collect();
    vec![fault("spoofed-headers", "clients may speak the proxy's language to the application", mend)]
}

/// A plain answer did not arrive with its status.
pub(in crate::doctor) fn status_rewritten(dialect: Dialect) -> Vec<Fault> {
    let mend = match dialect {
        Dialect::Nginx => "proxy_intercept_errors off;",
        Dialect::Caddy => "no `handle_response` for a status: match on the header X-Accel-Redirect",
        Dialect::Apache => "ProxyErrorOverride Off",
        Dialect::Lighttpd => {
            "server.errorfile-prefix and magnet scripts must leave the application's answers alone"
        }
    };
    vec![
        fault("proxy-rewrites-status", "the proxy replaces the application's answers by their status", mend),
        fault(
            "layer-rewrites-status",
            "a layer of the application changes the status of finished answers",
            "put the layer inside the routes that do not deliver",
        ),
    ]
}
