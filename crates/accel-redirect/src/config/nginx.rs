//! nginx.

use std::fmt::Write as _;

use super::nginx_visitor::visitor;
use super::visitor::OTHER_NAMES;
use super::{ProxyConfig, SPOOFABLE, Standalone, indented, quoted};
use super::{nginx_bucket, nginx_visitor};
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
# At lower levels nginx writes requests and referring pages into it, and tokens of links with them.
error_log {errors} crit;

events {{
    worker_connections 1024;
}}

http {{
    sendfile on;
    tcp_nopush on;
    server_tokens off;
"#,
        pid = file("nginx.pid"),
        errors = file("error.log"),
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "    {kind}_temp_path {};", file(kind));
    }
    text
}

fn site(config: &ProxyConfig<'_>) -> String {
    let buckets = if config.buckets.is_empty() { String::new() } else { nginx_bucket::maps() };
    let names: Vec<&str> = config.names.iter().map(|name| &**name).collect();
    let names = match names.is_empty() {
        true => "# Add here: server_name, certificates.".to_owned(),
        false => format!("server_name {};\n    # Add here: certificates.", names.join(" ")),
    };
    let log = match config.log_file() {
        Some(file) => format!("access_log {} sd_{};", quoted(&file), config.id()),
        None => "# The server's own log would keep tokens of links. `--access-log FILE` renders one that does not.\n    \
                 access_log off;"
            .to_owned(),
    };
    let mut text = format!(
        r#"{maps}{buckets}{upstream}
server {{
    listen {listen};
    {names}

    {log}

    # The application has its own limit for uploads, and reads them as they come.
    client_max_body_size 0;
    proxy_request_buffering off;

{application}"#,
        maps = nginx_visitor::maps(config),
        upstream = upstream(config),
        listen = config.listen.text(),
        application = application(config),
    );
    for root in config.roots() {
        text.push_str(&location(root, config));
    }
    text.push_str(&nginx_bucket::locations(config));
    text.push_str("}\n");
    text
}

/// The application's address, unless its name is looked up for each request.
fn upstream(config: &ProxyConfig<'_>) -> String {
    if config.app_resolver.is_some() && config.app.name().is_some() {
        return String::new();
    }
    let note = match config.app.name() {
        Some(_) => "    # Looked up when nginx starts. `--app-resolver ADDR` follows a changed address.\n",
        None => "",
    };
    format!(
        "\nupstream secure_download_app_{id} {{\n{note}    server {app};\n    keepalive 16;\n}}\n",
        id = config.id(),
        app = config.app.authority(),
    )
}

/// Everything of the path that the application lives at.
fn application(config: &ProxyConfig<'_>) -> String {
    let id = config.id();
    let mut target = format!("http://secure_download_app_{id}");
    let mut before = String::new();
    if let (Some((name, port)), Some(resolver)) = (config.app.name(), config.app_resolver) {
        let _ = write!(
            before,
            "        # Looked up again while nginx runs.\n        resolver {resolver};\n        resolver_timeout 5s;\n        \
             set $sd_{id}_app {name};\n"
        );
        target = format!("http://$sd_{id}_app:{port}");
    }
    let (mut outside, mut location) = (String::new(), "/".to_owned());
    if let Some(path) = &config.path {
        outside = format!(
            "    location / {{\n        return 404;\n    }}\n\n    location = {path} {{\n        absolute_redirect off;\n        \
             return 308 {path}/$is_args$args;\n    }}\n\n"
        );
        location = format!("^~ {path}/");
        let _ =
            write!(before, "        if ($sd_{id}_beneath = \"\") {{\n            return 404;\n        }}\n");
        target.push_str(&format!("$sd_{id}_beneath"));
    }
    let removed = |names: &[&str]| -> String {
        names.iter().map(|name| format!("        proxy_set_header {name} \"\";\n")).collect()
    };
    let others: Vec<&str> = OTHER_NAMES.into_iter().filter(|&name| !config.says(name)).collect();
    let prefix = match &config.path {
        Some(path) => format!("        proxy_set_header X-Forwarded-Prefix {path};\n"),
        None => String::new(),
    };
    let visitor = visitor(config);
    format!(
        r#"{outside}    location {location} {{
{before}        proxy_pass {target};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $sd_{id}_upgrade;
        proxy_set_header Connection $sd_{id}_connection;
        proxy_set_header Host $http_host;

        # Said once, and only by this proxy.
        proxy_set_header X-Forwarded-For {address};
        proxy_set_header X-Forwarded-Proto {scheme};
        proxy_set_header X-Forwarded-Host $http_host;
{prefix}{others}
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
        address = visitor.address,
        scheme = visitor.scheme,
        others = removed(&others),
        secret = quoted(config.secret.expose()),
        spoofable = removed(&SPOOFABLE),
    )
}

fn location(root: &Root, config: &ProxyConfig<'_>) -> String {
    let compressors: String =
        config.compressors.iter().map(|one| format!("        {}\n", one.off())).collect();
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

        # Compression would break ranges and entity tags. `--compressor NAME` adds a line for a module (brotli, zstd).
        gzip off;
{compressors}        charset off;

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
    for name in &config.kept {
        let variable = name.to_ascii_lowercase().replace('-', "_");
        let _ = writeln!(text, "        add_header {name} $upstream_http_{variable} always;");
    }
    text.push_str("    }\n");
    text
}
