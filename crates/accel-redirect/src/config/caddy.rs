//! Caddy 2, from 2.6 on.

use std::fmt::Write as _;

use super::caddy_bucket;
use super::{ProxyConfig, SPOOFABLE, indented, quoted};
use crate::Root;

/// Measured with 2.11: whoever hangs up in mid-download has the proof written into the log, or a signed URL.
const QUIET_LOG: &str = r"
{
	# Caddy logs a download that breaks off with the request as it went on: with the proof, or with the bucket's signed URL.
	# Where this becomes part of a larger file, that file's global options need these lines.
	log default {
		exclude http.handlers.reverse_proxy
	}
";

pub(super) fn render(config: &ProxyConfig<'_>) -> String {
    let mut text = config.preamble();
    let mut log = String::new();
    text.push_str(QUIET_LOG);
    if let Some(standalone) = &config.standalone {
        text.push_str("\n\tadmin off\n\tauto_https off\n");
        let file = quoted(&format!("{}/access.log", standalone.folder));
        log = format!("\tlog {{\n\t\toutput file {file}\n\t}}\n\n");
    }
    text.push_str("}\n");
    for (index, bucket) in config.buckets.iter().enumerate() {
        text.push_str(&caddy_bucket::snippet(index, bucket));
    }
    let mut spoofable = String::new();
    for name in SPOOFABLE {
        let _ = writeln!(spoofable, "\t\theader_up -{name}");
    }
    let _ = write!(
        text,
        r"
# Instead of a port: the site's name, for which Caddy gets certificates.
http://:{port} {{
	bind {address}

{log}	# Do not add `encode` for the files: compression would break ranges and entity tags.
	reverse_proxy {app} {{
		# Proves to the application that a request came this way. Replaces whatever the client sent.
		header_up X-Secure-Download-Proof {secret}

		# A client must not speak the proxy's language to the application.
{spoofable}
		# Never shown, whatever the application does.
		header_down -X-Accel-Redirect
		header_down -X-Accel-Limit-Rate
		header_down -X-Sendfile
		header_down -X-Store-Path
		header_down -X-Store-Query
",
        port = config.listen.port(),
        address = config.listen.ip(),
        app = config.app,
        secret = quoted(config.secret.expose()),
    );
    for (index, root) in config.roots().iter().enumerate() {
        text.push_str(&indented(&handle(index, root), "\t\t"));
    }
    for (index, bucket) in config.buckets.iter().enumerate() {
        text.push_str(&indented(&caddy_bucket::handle(index, bucket), "\t\t"));
    }
    text.push_str(
        r"
		# A hand-off for no location above, or on another status than 200.
		@stray header X-Accel-Redirect *
		handle_response @stray {
			respond 502
		}
	}
}
",
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
