//! nginx.

use std::fmt::Write as _;

use super::nginx_bucket;
use super::{ProxyConfig, SPOOFABLE, Standalone, indented, quoted};
use crate::Root;

pub(super) fn render(config: &ProxyConfig<'_>) -> String {
    let site = site(config);
    match &config.standalone {
        None => format!("{}{site}", config.preamble()),
        Some(standalone) => {
            let module = if config.headers_more { nginx_bucket::LOAD_MODULE } else { "" };
            format!("{}{module}{}{}}}\n", config.preamble(), frame(standalone), indented(&site, "    "))
        }
    }
}

fn frame(standalone: &Standalone) -> String {
    let file = |name: &str| quoted(&format!("{}/{name}", standalone.folder));
    let user = standalone.user.as_ref().map_or_else(String::new, |user| format!("user {user};\n"));
    let mut text = format!(
        r#"{user}daemon off;
worker_processes auto;
pid {pid};
error_log {errors} warn;

events {{
    worker_connections 1024;
}}

http {{
    access_log {access};
    sendfile on;
    tcp_nopush on;
    server_tokens off;
"#,
        pid = file("nginx.pid"),
        errors = file("error.log"),
        access = file("access.log"),
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "    {kind}_temp_path {};", file(kind));
    }
    text
}

fn site(config: &ProxyConfig<'_>) -> String {
    let mut spoofable = String::new();
    for name in SPOOFABLE {
        let _ = writeln!(spoofable, "        proxy_set_header {name} \"\";");
    }
    let maps = if config.buckets.is_empty() { String::new() } else { nginx_bucket::maps() };
    let mut text = format!(
        r#"{maps}
upstream secure_download_app {{
    server {app};
    keepalive 16;
}}

server {{
    listen {listen};
    # Add here: server_name, certificates.

    # The application has its own limit for uploads, and reads them as they come.
    client_max_body_size 0;
    proxy_request_buffering off;

    location / {{
        proxy_pass http://secure_download_app;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;

        # Proves to the application that a request came this way. Replaces whatever the client sent.
        proxy_set_header X-Secure-Download-Proof {secret};

        # A client must not speak the proxy's language to the application.
{spoofable}
        # The default of 4k is less than a long name and a long policy take: 502.
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        # What the application streams itself is not copied to disk first.
        proxy_max_temp_file_size 0;
        # Never shown, whatever the application does.
        proxy_hide_header X-Sendfile;
        proxy_hide_header X-Store-Path;
        proxy_hide_header X-Store-Query;
    }}
"#,
        app = config.app,
        listen = config.listen,
        secret = quoted(config.secret.expose()),
    );
    for root in config.roots() {
        text.push_str(&location(root, &config.kept));
    }
    text.push_str(&nginx_bucket::locations(config));
    text.push_str("}\n");
    text
}

fn location(root: &Root, kept: &[String]) -> String {
    let mut text = format!(
        r#"
    # ^~: a regular expression elsewhere must not take these addresses over.
    # Both lines end with a slash: without, a sibling whose name only begins alike would be served too.
    location ^~ {location}/ {{
        alias {folder};

        # Not for whoever asks for it: only the application leads here, with a status of 200.
        internal;
        if ($upstream_status !~ "200$") {{
            return 502;
        }}

        # A symbolic link leads nowhere.
        disable_symlinks on {from};

        # Compression would break ranges and entity tags.
        gzip off;
        charset off;

        # RFC 9110 section 13.1.3; nginx would only accept exactly the same date.
        if_modified_since before;

        # A folder is no file: nginx would redirect to its internal name.
        if (-d $request_filename) {{
            return 404;
        }}

        # nginx drops all of the application's headers but a few; each is put back. Empty ones are not sent.
"#,
        location = root.location(),
        folder = quoted(&format!("{}/", root.folder())),
        from = quoted(&format!("from={}", root.folder())),
    );
    for name in kept {
        let variable = name.to_ascii_lowercase().replace('-', "_");
        let _ = writeln!(text, "        add_header {name} $upstream_http_{variable} always;");
    }
    text.push_str("    }\n");
    text
}
