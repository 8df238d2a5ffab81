//! Caddy 2, from 2.6 on.

use std::fmt::Write as _;

use super::caddy_bucket;
use super::visitor::{HOP_NOTE, LAST_ADDRESS, LAST_SCHEMES, OTHER_NAMES};
use super::{ProxyConfig, SPOOFABLE, indented, quoted};
use crate::Root;

/// Fields of Caddy's log that contain tokens of links, signed URLs and cookies.
const FILTER: &str = "\
format filter {
	wrap json
	fields {
		request>uri regexp \"([?]).*|(/)[^/?]{40}.*\" \"$1$2[cut]\"
		request>headers delete
		resp_headers delete
	}
}
";

/// Measured with 2.11: after a client hangs up in mid-download, the log has the proof, or a signed URL.
pub(super) fn server_wide(config: &ProxyConfig<'_>) -> String {
    let write_idle = if config.idle_limits {
        "\t\t# A client that takes nothing, from 2.11 on.\n\t\twrite_idle 1m\n"
    } else {
        "\t\t# Caddy 2.11 also cuts clients that take nothing: `--idle-limits` adds the line. Older versions refuse it.\n"
    };
    format!(
        "\
# For the global options of a Caddyfile that serves sites of `secure-download proxy-config`:
#   {{
#       import FILE
#   }}

# Caddy logs a download that breaks off with the request as it went on: with the proof, or with the bucket's signed URL. And it
# logs failures with the request as it came: with tokens of links.
log default {{
	exclude http.handlers.reverse_proxy
{filter}}}

servers {{
	timeouts {{
		# A head that never ends, and a connection without a request. No `read_body`: it would cut slow uploads.
		read_header 30s
		idle 2m
{write_idle}	}}
}}
",
        filter = indented(FILTER, "\t"),
    )
}

pub(super) fn render(config: &ProxyConfig<'_>) -> String {
    let mut text = config.preamble();
    match &config.standalone {
        Some(_) => {
            let options = format!("admin off\nauto_https off\n\n{}", server_wide(config));
            let _ = write!(text, "\n{{\n{}}}\n", indented(&options, "\t"));
        }
        None => text.push_str(
            "# The whole server needs options too, or secrets stand in its log: `secure-download proxy-config --server-wide`.\n",
        ),
    }
    let id = config.id();
    for (index, bucket) in config.buckets.iter().enumerate() {
        text.push_str(&caddy_bucket::snippet(&format!("{id}_{index}"), bucket));
    }
    let log = match config.log_file() {
        Some(file) => format!(
            "\t# Tokens of links are long segments of paths, signatures stand in queries: neither is logged.\n\tlog {{\n\t\toutput file {}\n{}\t}}\n\n",
            quoted(&file),
            indented(FILTER, "\t\t")
        ),
        None => String::new(),
    };
    let bind = match config.listen.ip {
        Some(ip) => format!("\tbind {ip}\n\n"),
        None => String::new(),
    };
    let port = config.listen.port;
    let keys = match config.names.is_empty() {
        true => format!(
            "# Instead of a port: the site's name, for which Caddy gets certificates.\nhttp://:{port}"
        ),
        false => {
            let keys: Vec<_> = config.names.iter().map(|name| format!("http://{name}:{port}")).collect();
            format!("# Without `http://` and the port Caddy gets certificates.\n{}", keys.join(", "))
        }
    };
    let route = format!("route {{\n{}}}\n", indented(&route(config), "\t"));
    let site = match &config.path {
        None => route,
        // Caddy 2.6 also matches the text `<nil>`, which stands for a variable that is not there.
        Some(path) => format!(
            "@bare {{\n\tpath {path}\n\tnot vars_regexp {{http.request.uri.query}} ^[^<]\n}}\nredir @bare {path}/ 308\n\
             @asked {{\n\tpath {path}\n\tvars_regexp {{http.request.uri.query}} ^[^<]\n}}\n\
             redir @asked {path}/?{{http.request.uri.query}} 308\nhandle_path {path}/* {{\n{}}}\nhandle {{\n\trespond 404\n}}\n",
            indented(&route, "\t")
        ),
    };
    let _ = write!(text, "\n{keys} {{\n{bind}{log}{}}}\n", indented(&site, "\t"));
    text
}

/// Everything that is done with a request for the application.
fn route(config: &ProxyConfig<'_>) -> String {
    let mut text = String::from(
        "\
# WebSockets of the application pass. No other protocol does: it would be a tunnel past what stands below.
@other_protocol not vars_regexp {http.request.header.Upgrade} (?i)^websocket$
request_header @other_protocol -Upgrade

",
    );
    if !config.hops.is_empty() {
        text.push_str(HOP_NOTE);
        let hops: Vec<_> = config.hops.iter().map(ToString::to_string).collect();
        let hops = hops.join(" ");
        text.push_str(
            "vars secure_download_for {http.request.remote.host}\nvars secure_download_host {http.request.hostport}\n\
             vars secure_download_proto {http.request.scheme}\n",
        );
        let mut said = |variable: &str, matcher: &str, header: &str, expression: &str, value: &str| {
            let _ = write!(
                text,
                "@said_{matcher} {{\n\tremote_ip {hops}\n\tvars_regexp said_{matcher} \
                 {{http.request.header.X-Forwarded-{header}}} `{expression}`\n}}\n\
                 vars @said_{matcher} secure_download_{variable} {value}\n"
            );
        };
        said("for", "for", "For", LAST_ADDRESS, "{http.regexp.said_for.1}");
        for (scheme, expression) in LAST_SCHEMES {
            said("proto", scheme, "Proto", &format!("(?i){expression}"), scheme);
        }
        text.push('\n');
    }
    let app = config.app.socket().map_or_else(|| config.app.authority(), |path| format!("unix/{path}"));
    let mut proxied = String::new();
    if !config.hops.is_empty() {
        for (header, name) in [("For", "for"), ("Proto", "proto"), ("Host", "host")] {
            let _ = writeln!(proxied, "header_up X-Forwarded-{header} {{http.vars.secure_download_{name}}}");
        }
    }
    if let Some(path) = &config.path {
        let _ = writeln!(proxied, "header_up X-Forwarded-Prefix {path}");
    }
    for name in OTHER_NAMES.into_iter().filter(|&name| !config.says(name)) {
        let _ = writeln!(proxied, "header_up -{name}");
    }
    let _ = write!(
        proxied,
        "
# Proves to the application that a request came this way. Replaces whatever the client sent.
header_up X-Secure-Download-Proof {secret}

# A client must not speak the proxy's language to the application.
",
        secret = quoted(config.secret.expose()),
    );
    for name in SPOOFABLE {
        let _ = writeln!(proxied, "header_up -{name}");
    }
    proxied.push_str(
        "
# Never shown, whatever the application does.
header_down -X-Accel-Redirect
header_down -X-Accel-Limit-Rate
header_down -X-Sendfile
header_down -X-Store-Path
header_down -X-Store-Query
",
    );
    for (index, root) in config.roots().iter().enumerate() {
        proxied.push_str(&handle(index, root));
    }
    for (index, bucket) in config.buckets.iter().enumerate() {
        proxied.push_str(&caddy_bucket::handle(index, &format!("{}_{index}", config.id()), bucket));
    }
    proxied.push_str(
        "
# A hand-off for no location above, or on another status than 200.
@stray header X-Accel-Redirect *
handle_response @stray {
	respond 502
}
",
    );
    let _ = write!(
        text,
        "# Do not add `encode` for the files: compression would break ranges and entity tags.\nreverse_proxy {app} {{\n\t\
         # Said once, and only by this proxy: X-Forwarded-For, -Proto and -Host.\n{}}}\n",
        indented(&proxied, "\t")
    );
    text
}

fn handle(index: usize, root: &Root) -> String {
    format!(
        r#"
@hand_off_{index} {{
	header X-Accel-Redirect {location}/*
	status 200
}}
handle_response @hand_off_{index} {{
	# Caddy follows symbolic links and has no switch for it: only the application may write here.
	root * {folder}

	# The file server answers GET and HEAD only; and `method * GET` would put a body behind an answer to HEAD.
	@other not method GET HEAD
	method @other GET

	# Undoes the escaping exactly once in every version. The `?` drops the client's query.
	rewrite * /__accel__?
	uri replace /__accel__ {{http.reverse_proxy.header.X-Accel-Redirect}} 1
	uri strip_prefix {location}

	# Caddy drops the application's headers unless told so. Entity tag and date are Caddy's own, in every version.
	copy_response_headers {{
		exclude X-Accel-Redirect X-Accel-Limit-Rate Content-Length Content-Encoding Accept-Ranges Etag Last-Modified Date Server Connection
	}}
	file_server {{
		index "*none*"
		disable_canonical_uris
	}}
}}
"#,
        location = root.location(),
        folder = quoted(root.folder()),
    )
}
