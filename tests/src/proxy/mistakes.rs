//! [`MISTAKES`]: changes of rendered configurations that break them.

use ProxyServer::{Apache, Caddy, Lighttpd, NewestCaddy, Nginx};

use super::ProxyServer;

/// Servers, a piece of their configuration, what takes its place, and the fault that the doctor finds then.
pub type Mistake = (&'static [ProxyServer], &'static str, &'static str, &'static str);

/// Replaces what must be there.
///
/// # Panics
/// If it is not in the configuration.
pub fn replaced(from: &'static str, to: &'static str) -> impl Fn(String) -> String + Send + Sync {
    move |text| {
        assert!(text.contains(from), "{from:?} is not in the configuration:\n{text}");
        text.replace(from, to)
    }
}

/// One mistake each.
pub const MISTAKES: &[Mistake] = &[
    // nginx
    (&[Nginx], "location ^~ /_protected/media/ {", "location ^~ /_elsewhere/ {", "nginx-location"),
    (
        &[Nginx],
        "proxy_buffer_size",
        "proxy_ignore_headers X-Accel-Redirect; proxy_buffer_size",
        "nginx-ignores",
    ),
    (&[Nginx], "/media/\";", "/media-evil/\";", "nginx-alias"),
    (&[Nginx], "alias", "root", "nginx-root"),
    (&[Nginx], "add_header Content-Security-Policy", "# csp", "nginx-headers"),
    (&[Nginx], "add_header", "# add_header", "nginx-headers"),
    (&[Nginx], "proxy_buffer_size 16k", "proxy_buffer_size 4k", "nginx-buffer"),
    (&[Nginx], "gzip off", "gzip on; gzip_types text/plain", "compression"),
    (&[Nginx], "disable_symlinks on", "disable_symlinks off; #", "nginx-links"),
    (&[Nginx], "proxy_set_header X-Sendfile \"\";", "", "spoofed-headers"),
    (&[Nginx], "proxy_set_header X-Secure-Download-Proof", "proxy_set_header X-Other", "proof-missing"),
    (
        &[Nginx],
        "proxy_http_version 1.1;",
        "proxy_http_version 1.1; proxy_intercept_errors on; error_page 403 503 /oops;",
        "proxy-rewrites-status",
    ),
    (&[Nginx], "if_modified_since before;", "max_ranges 0;", "ranges-off"),
    (&[Nginx], "if_modified_since before;", "etag off; add_header ETag '\"x\"';", "validators-replaced"),
    (&[Nginx], "proxy_set_header X-Forwarded-Host $http_host;", "", "made-up-visitor"),
    (&[Nginx], "proxy_set_header X-Real-IP \"\";", "", "made-up-visitor"),
    (
        &[Nginx],
        "if_modified_since before;",
        "if_modified_since before; add_header Cache-Control \"public, max-age=9\" always;",
        "nginx-headers",
    ),
    // Caddy
    (&[Caddy, NewestCaddy], "header_up -X-Real-IP", "", "made-up-visitor"),
    (
        &[Caddy, NewestCaddy],
        "header X-Accel-Redirect /_protected/media/*",
        "header X-Accel-Redirect /x/*",
        "caddy-handle",
    ),
    (&[Caddy, NewestCaddy], "/media\"\n", "/media-evil\"\n", "caddy-root"),
    (&[Caddy, NewestCaddy], "uri strip_prefix /_protected/media", "", "caddy-prefix"),
    (&[Caddy, NewestCaddy], "http://:", "http://files.example.com:", "caddy-site"),
    (&[Caddy, NewestCaddy], "header_up -X-Accel-Redirect", "", "spoofed-headers"),
    (&[Caddy, NewestCaddy], "header_up X-Secure-Download-Proof", "header_up X-Other", "proof-missing"),
    (
        &[Caddy, NewestCaddy],
        "header_up X-Secure-Download-Proof",
        "header_up +X-Secure-Download-Proof",
        "proof-added",
    ),
    (&[Caddy], "method @other GET", "method * GET", "caddy-method"),
    (&[Caddy, NewestCaddy], "reverse_proxy 127", "encode gzip\n\treverse_proxy 127", "compression"),
    // Apache
    (
        &[Apache],
        "RequestHeader set X-Forwarded-Host",
        "# RequestHeader set X-Forwarded-Host",
        "made-up-visitor",
    ),
    (
        &[Apache],
        "TraceEnable Off",
        "TraceEnable Off\nHeader always add Cache-Control public",
        "headers-dropped",
    ),
    (&[Apache], "XSendFile On", "XSendFile Off", "apache-off"),
    (&[Apache], "/media\"\n</V", "/media-evil\"\n</V", "apache-path"),
    (&[Apache], "XSendFilePath \"", "XSendFilePath \"/\"\nXSendFilePath \"", "apache-path"),
    (&[Apache], "Header set X-Sendfile", "# Header set X-Sendfile", "apache-escaping"),
    (&[Apache], "FileETag None", "", "apache-etag"),
    (&[Apache], "RequestHeader unset X-Sendfile\n", "\n", "spoofed-headers"),
    (&[Apache], "RequestHeader set X-Secure", "RequestHeader add X-Secure", "proof-added"),
    (&[Apache], "ProxyRequests Off", "ProxyErrorOverride On", "proxy-rewrites-status"),
    (&[Apache], "TraceEnable Off", "TraceEnable On", "trace-shows-proof"),
    (
        &[Apache],
        "RequestHeader edit* Connection",
        "# RequestHeader edit* Connection",
        "connection-drops-proof",
    ),
    (
        &[Apache],
        r"(?i)(?<![^,\s])(?!(?:close|keep-alive|upgrade)(?![^,\s]))[^,\s]+",
        "(?i)x-secure-download-proof|x-forwarded-proto",
        "connection-drops-proof",
    ),
    // lighttpd
    (&[Lighttpd], "\"X-Real-IP\" => \"\",", "", "made-up-visitor"),
    (&[Lighttpd], "\"x-sendfile\" => \"enable\"", "\"x-sendfile\" => \"disable\"", "lighttpd-off"),
    (&[Lighttpd], "/media\" ),", "/media-evil\" ),", "lighttpd-docroot"),
    (&[Lighttpd], "\"x-sendfile-docroot\"", "#", "lighttpd-docroot"),
    (&[Lighttpd], "server.follow-symlink = \"disable\"", "", "lighttpd-links"),
    (
        &[Lighttpd],
        "\"X-Sendfile\" => \"\",\n    \"X-Sendfile-Type\"",
        "\"X-Sendfile-Type\"",
        "spoofed-headers",
    ),
    (&[Lighttpd], "\"X-Secure-Download-Proof\" =>", "\"X-Other\" =>", "proof-missing"),
    (&[Lighttpd], "server.max-request-size = 0", "server.range-requests = \"disable\"", "ranges-off"),
];
