//! Faults of the whole site, whatever the file.

use secure_download_accel_redirect::Dialect;

use super::{Fault, fault};
use crate::doctor::client::Seen;
use crate::doctor::stranger::Stranger;

/// The line of the rendered configuration. An expression for single names would put a name together that stands around another.
const CONNECTION_OF_APACHE: &str = r#"RequestHeader edit* Connection "(?i)(?<![^,\s])(?!(?:close|keep-alive|upgrade)(?![^,\s]))[^,\s]+" ""        # above `RequestHeader set`"#;

/// No connection, or none that can be trusted.
pub(in crate::doctor) fn unreachable(error: &str) -> Fault {
    if error.contains("certificate") {
        return fault(
            "certificate",
            "the site's certificate is not valid for this name, or no authority known here has signed it",
            "--ca FILE        # the authority's certificate (PEM), or SSL_CERT_FILE in the environment",
        );
    }
    fault("unreachable", "connection failed", "start the proxy, or give the URL that clients use")
}

/// Faults that show before anything else.
pub(in crate::doctor) fn unreached(seen: &Seen) -> Vec<Fault> {
    let token = fault(
        "doctor-token",
        "the token is wrong, spent or expired",
        "mount the doctor with a new token; each opens one examination",
    );
    let mount = fault(
        "doctor-not-mounted",
        "no doctor is mounted at this URL, or one of another version",
        "build the application with the feature `doctor`, mount Doctor under /.secure-download-doctor, and give --url the \
         application's own path, if it has one",
    );
    let stripped = fault(
        "headers-stripped",
        "a layer in front of the application takes Authorization or X-Secure-Download-Doctor away",
        "let both headers through while the deployment is checked",
    );
    if seen.status == 200 && seen.body.is_empty() && seen.header("server") == Some("Caddy") {
        return vec![fault(
            "caddy-site",
            "no site address of the Caddyfile matches this host, so Caddy answers itself",
            "http://:PORT {        # or the host name that clients use",
        )];
    }
    match Stranger::of(seen) {
        Stranger::RateLimiter => vec![rate_limiter()],
        Stranger::Overload => vec![application_down(), rate_limiter()],
        Stranger::LoginPage => vec![
            fault(
                "login-page",
                "a login page answers in place of the application",
                "let /.secure-download-doctor through without a login while the deployment is checked",
            ),
            token,
        ],
        Stranger::Redirect => {
            let to = seen.header("location").unwrap_or_default();
            vec![fault(
                "redirected",
                format!("this address redirects to {to:?}"),
                "give the URL that clients end up at",
            )]
        }
        Stranger::ErrorPage if matches!(seen.status, 500..) => vec![application_down()],
        _ => vec![token, mount, stripped],
    }
}

fn application_down() -> Fault {
    fault(
        "error-page",
        "the proxy answers with an error: it does not reach the application",
        "start the application, or mend the proxy's address of it",
    )
}

fn rate_limiter() -> Fault {
    fault(
        "rate-limiter",
        "a rate limiter answers in place of the application, or a server that is overloaded",
        "no limit for this client's address, or for /.secure-download-doctor, while the deployment is checked",
    )
}

/// The proxy's own answer to TRACE shows what it adds to requests.
pub(in crate::doctor) fn trace_shows_proof(dialect: Dialect) -> Fault {
    let mend = match dialect {
        Dialect::Apache => "TraceEnable Off        # in the virtual host",
        _ => "refuse TRACE in the server that answers it, behind the line that adds the proof",
    };
    let mend = format!("{mend}\n# then make a new secret: this one may be known");
    fault("trace-shows-proof", "every client can read the secret that proves the proxy", mend)
}

/// A client names the proof in `Connection`, and the proxy drops it.
pub(in crate::doctor) fn connection_drops_proof(dialect: Dialect) -> Fault {
    let mend = match dialect {
        Dialect::Nginx => "proxy_set_header Connection \"\";",
        Dialect::Apache => CONNECTION_OF_APACHE,
        _ => "add the proof behind the rule that drops what `Connection` names",
    };
    fault("connection-drops-proof", "a client can take the proof away, and with it the hand-off", mend)
}

/// The site waits for the rest of a head without an end.
pub(in crate::doctor) fn unfinished_heads(dialect: Option<Dialect>) -> Fault {
    let mend = match dialect {
        Some(Dialect::Nginx) => "client_header_timeout 60s;",
        Some(Dialect::Caddy) => {
            "servers {\n    timeouts {\n        read_header 30s\n    }\n}        # in the global options"
        }
        Some(Dialect::Apache) => "RequestReadTimeout header=20-60,MinRate=500        # a2enmod reqtimeout",
        Some(Dialect::Lighttpd) => "server.max-read-idle = 60",
        _ => "a time limit for heads of requests in the server that clients reach",
    };
    fault("unfinished-heads", "clients that never finish a request hold connections for ever", mend)
}

/// What a proof that is not right says.
pub(in crate::doctor) fn unproven(dialect: Dialect, proof: &str) -> Vec<Fault> {
    let line = |name: &str, value: &str| match dialect {
        Dialect::Nginx => format!("proxy_set_header {name} \"{value}\";"),
        Dialect::Caddy => format!("header_up {name} \"{value}\""),
        Dialect::Apache => format!("RequestHeader set {name} \"{value}\""),
        // A name that stands twice stops lighttpd: `+=` is for one that is not there.
        Dialect::Lighttpd if proof == "absent" => {
            format!("setenv.set-request-header += ( \"{name}\" => \"{value}\" )")
        }
        Dialect::Lighttpd => format!("\"{name}\" => \"{value}\",        # in setenv.set-request-header"),
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

/// The line that takes a header of requests away.
fn without(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Nginx => format!("proxy_set_header {name} \"\";\n"),
        Dialect::Caddy => format!("header_up -{name}\n"),
        Dialect::Apache => format!("RequestHeader unset {name}\n"),
        Dialect::Lighttpd => format!("setenv.set-request-header += ( \"{name}\" => \"\" )\n"),
    }
}

/// A request header of the proxy's language reached the application.
pub(in crate::doctor) fn spoofable(dialect: Dialect, names: &[&str]) -> Vec<Fault> {
    let mend: String = names.iter().map(|name| without(dialect, name)).collect();
    vec![fault("spoofed-headers", "clients may speak the proxy's language to the application", mend)]
}

/// The application believes what a client says about itself.
pub(in crate::doctor) fn made_up(dialect: Dialect, names: &[&str]) -> Fault {
    let line = |name: &&str| match (dialect, *name) {
        (Dialect::Nginx, "x-forwarded-for") => "proxy_set_header X-Forwarded-For $remote_addr;\n".to_owned(),
        (Dialect::Nginx, "x-forwarded-proto") => "proxy_set_header X-Forwarded-Proto $scheme;\n".to_owned(),
        (Dialect::Nginx, "x-forwarded-host") => "proxy_set_header X-Forwarded-Host $http_host;\n".to_owned(),
        (Dialect::Apache, "x-forwarded-host") => {
            "RequestHeader set X-Forwarded-Host \"expr=%{HTTP_HOST}\"\n".to_owned()
        }
        (_, name) => without(dialect, name),
    };
    let mend: String = names.iter().map(line).collect();
    fault("made-up-visitor", "clients choose the address, scheme or host that the application believes", mend)
}

/// A cache in front gives one client the answer of another.
pub(in crate::doctor) fn cached(dialect: Option<Dialect>) -> Fault {
    let mend = match dialect {
        Some(Dialect::Nginx) => "proxy_cache off;        # wherever requests go to the application",
        Some(Dialect::Apache) => "CacheDisable /        # or below the application's path",
        _ => {
            "no cache for the application's paths, or one that heeds `Cache-Control: private` and `no-store`"
        }
    };
    fault(
        "cached",
        "a cache answers in the application's place: what one client got, the next one gets",
        mend,
    )
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

#[cfg(test)]
mod tests {
    use secure_download_accel_redirect::{Mapping, ProxyConfig, ProxySecret, Root};

    use super::*;

    #[test]
    fn the_advised_line_of_apache_is_the_rendered_one() {
        let mapping = Mapping::new([Root::new("/_protected/media", "/srv/media").expect("a root")]);
        let (mapping, secret) = (mapping.expect("a mapping"), ProxySecret::from_random(&[7; 32]));
        let rendered = ProxyConfig::new(Dialect::Apache, &mapping, &secret).render();
        let line = CONNECTION_OF_APACHE.split("        #").next().expect("a line");
        assert!(rendered.contains(line), "{line}");
    }

    #[test]
    fn lighttpd_is_advised_no_name_twice() {
        for (proof, twice) in [("absent", true), ("wrong", false), ("repeated", false)] {
            for fault in unproven(Dialect::Lighttpd, proof) {
                assert!(twice || !fault.mend.contains("+="), "{proof}: {}", fault.mend);
            }
        }
    }
}
