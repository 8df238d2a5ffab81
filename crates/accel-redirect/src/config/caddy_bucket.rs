//! Caddy, fetching from a bucket.

use std::fmt::Write as _;

use super::{indented, quoted};
use crate::BucketUpstream;

/// What of the client's request the bucket is asked.
const ASKED: [(&str, &str); 6] = [
    ("range", "Range"),
    ("if_range", "If-Range"),
    ("if_match", "If-Match"),
    ("if_none_match", "If-None-Match"),
    ("if_modified_since", "If-Modified-Since"),
    ("if_unmodified_since", "If-Unmodified-Since"),
];

/// One of these is in every name of a header but `Host`: Caddy 2.6 fails if told to delete all at once.
const IN_EVERY_NAME: &str = "abcdefgijklmnpqruvwxyz-_";

/// The `handle_response` for one bucket.
pub(super) fn handle(index: usize, bucket: &BucketUpstream) -> String {
    format!(
        r#"
@bucket_{index} {{
	header X-Accel-Redirect {location}
	header X-Store-Path /*
	header X-Store-Query *
	status 200
}}
handle_response @bucket_{index} {{
	# The bucket's URL is signed for GET and HEAD only.
	@other not method GET HEAD
	method @other GET

	# Puts the signed target in byte for byte, in every version; a header within `rewrite` would be expanded again.
	route {{
		rewrite * /__path__?__query__
		uri replace /__path__ {{http.reverse_proxy.header.X-Store-Path}} 1
		uri replace __query__ {{http.reverse_proxy.header.X-Store-Query}} 1

		# Nothing of the client's request reaches the bucket but Range and conditions: no cookie, no credential.
{asked}
		# Caddy drops the application's headers unless told so. Entity tag and date are the bucket's.
		copy_response_headers {{
			exclude X-Accel-Redirect X-Accel-Limit-Rate X-Store-Path X-Store-Query Content-Length Content-Encoding Accept-Ranges Etag Last-Modified Date Server Connection
		}}
{fetching}	}}
}}
"#,
        location = bucket.location(),
        asked = indented(&asked(), "\t\t"),
        fetching = indented(&fetching(bucket), "\t\t"),
    )
}

fn asked() -> String {
    let mut text = String::new();
    for (name, field) in ASKED {
        let _ = writeln!(text, "vars secure_download_{name} {{http.request.header.{field}}}");
    }
    for letter in IN_EVERY_NAME.chars() {
        let _ = writeln!(text, "request_header -*{letter}*");
    }
    for (name, field) in ASKED {
        let _ = writeln!(text, "@{name} not vars {{http.vars.secure_download_{name}}} \"\"");
        let _ = writeln!(text, "request_header @{name} {field} {{http.vars.secure_download_{name}}}");
    }
    text
}

fn fetching(bucket: &BucketUpstream) -> String {
    let mut text = String::new();
    if bucket.is_name() {
        text.push_str("reverse_proxy {\n\t# Looked up again while Caddy runs.\n\tdynamic a {\n");
        let _ = write!(text, "\t\tname {}\n\t\tport {}\n\t\trefresh 5s\n", bucket.host(), bucket.port());
        if !bucket.resolvers().is_empty() {
            let _ = write!(text, "\t\tresolvers");
            for resolver in bucket.resolvers() {
                // 2.6 would ask by TCP otherwise.
                let _ = write!(text, " udp/{resolver}");
            }
            text.push('\n');
        }
        text.push_str("\t}\n");
    } else {
        let _ = writeln!(text, "reverse_proxy {}:{} {{", bucket.host(), bucket.port());
    }
    text.push_str("\ttransport http {\n\t\tcompression off\n");
    if bucket.is_tls() {
        let _ = writeln!(text, "\t\ttls\n\t\ttls_server_name {}", bucket.host());
        if let Some(file) = bucket.trusted_file() {
            let _ = writeln!(text, "\t\ttls_trusted_ca_certs {}", quoted(file));
        }
    }
    text.push_str("\t}\n");
    let _ = write!(
        text,
        r#"
	header_up Host {authority}
	header_up Accept-Encoding identity
	header_up -X-Forwarded-*
	header_up -Via

	# Nothing of the bucket but the file, its length, entity tag and date.
	header_down -Content-Type
	header_down -Content-Disposition
	header_down -Cache-Control
	header_down -Cdn-Cache-Control
	header_down -Content-Security-Policy
	header_down -Cross-Origin-*
	header_down -Referrer-Policy
	header_down -Strict-Transport-Security
	header_down -Set-Cookie
	header_down -Expires
	header_down -Vary
	header_down -Access-Control-*
	header_down -X-*
	header_down -Cf-*
	header_down -Location
	header_down -Content-Location
	header_down -Refresh
	header_down -Alt-Svc
	header_down -Link
	header_down -Via
	header_down -Server

	# The bucket's redirects and error pages name the bucket.
"#,
        authority = bucket.authority(),
    );
    let length = "\t\theader Content-Range {http.reverse_proxy.header.Content-Range}\n";
    for (name, matched, status, says, more) in [
        ("missing", "status 404 410", 404, "not found", ""),
        ("changed", "status 412", 412, "changed", ""),
        ("beyond", "{\n\t\tstatus 416\n\t\theader Content-Range *\n\t}", 416, "no such range", length),
        ("unsatisfiable", "status 416", 416, "no such range", ""),
        ("failed", "status 300 301 302 303 305 306 307 308 4xx 5xx", 502, "delivery failed", ""),
    ] {
        let _ = write!(
            text,
            r#"	@{name} {matched}
	handle_response @{name} {{
		header -Content-Disposition
		header Content-Type "text/plain; charset=utf-8"
		header Cache-Control no-store
{more}		respond "{says}" {status}
	}}
"#
        );
    }
    text.push_str("}\n");
    text
}
