//! Caddy, fetching from a bucket.

use std::fmt::Write as _;

use super::bucket::{ASKED, MASKED, ONE_RANGE, SEEN};
use super::{indented, quoted};
use crate::BucketUpstream;

/// Headers of the [`ResponsePlan`](secure_download_core::ResponsePlan), which an interim answer of the bucket must not take away,
/// spelt as Caddy spells them.
const PLANNED: [&str; 9] = [
    "Content-Type",
    "Content-Disposition",
    "Cache-Control",
    "Cdn-Cache-Control",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "Vary",
];

/// What both requests to one bucket have in common, to be imported.
pub(super) fn snippet(id: &str, bucket: &BucketUpstream) -> String {
    format!(
        "\n# Fetches from {}.\n(secure_download_bucket_{id}) {{\n{}}}\n",
        bucket.origin(),
        indented(&fetching(bucket), "\t")
    )
}

/// The `handle_response` for one bucket.
pub(super) fn handle(index: usize, id: &str, bucket: &BucketUpstream) -> String {
    let upstream =
        if bucket.is_name() { String::new() } else { format!("{}:{} ", bucket.host(), bucket.port()) };
    format!(
        r#"
@bucket_{index} {{
	header X-Accel-Redirect {location}
	header X-Store-Path /*
	header X-Store-Query *
	status 200
}}
handle_response @bucket_{index} {{
	# Puts the signed target in byte for byte, in every version; a header within `rewrite` would be expanded again.
	route {{
		rewrite * /__path__?__query__
		uri replace /__path__ {{http.reverse_proxy.header.X-Store-Path}} 1
		uri replace __query__ {{http.reverse_proxy.header.X-Store-Query}} 1

		# Nothing of the client's request reaches the bucket but one Range and conditions: no cookie, no credential.
		# Two stars, since Caddy 2.6 fails if told to delete `-*`.
{asked}
		# Caddy drops the application's headers unless told so. Those of the plan are set once the bucket has answered: an
		# interim answer of the bucket would take them away. Entity tag and date are the bucket's.
{kept}		copy_response_headers {{
			exclude {planned}
			exclude X-Accel-Redirect X-Accel-Limit-Rate X-Store-Path X-Store-Query
			exclude Content-Length Content-Encoding Accept-Ranges Etag Last-Modified Date Server Connection
		}}
		header Cache-Control no-store

		# The URL is signed for GET and HEAD only. To the bucket a POST becomes a GET again, and loses its body by that.
		@body not method HEAD
		method @body POST
		@head method HEAD
		reverse_proxy @head {upstream}{{
			import secure_download_bucket_{id}
		}}
		reverse_proxy {upstream}{{
			method GET
			import secure_download_bucket_{id}
		}}
	}}
}}
"#,
        location = bucket.location(),
        asked = indented(&asked(), "\t\t"),
        kept = indented(&kept(), "\t\t"),
        planned = PLANNED.join(" "),
    )
}

fn variable(name: &str) -> String {
    format!("secure_download_{}", name.to_ascii_lowercase().replace('-', "_"))
}

fn asked() -> String {
    let mut text = String::new();
    for name in ASKED {
        let _ = writeln!(text, "vars {} {{http.request.header.{name}}}", variable(name));
    }
    text.push_str("request_header -**\n");
    for name in ASKED {
        let kept = variable(name);
        let _ = match name {
            "Range" => writeln!(text, "@{kept} vars_regexp {{http.vars.{kept}}} (?i){ONE_RANGE}"),
            _ => writeln!(text, "@{kept} not vars {{http.vars.{kept}}} \"\""),
        };
        let _ = writeln!(text, "request_header @{kept} {name} {{http.vars.{kept}}}");
    }
    text
}

fn kept() -> String {
    let line = |name| format!("vars {} {{http.reverse_proxy.header.{name}}}\n", variable(name));
    PLANNED.iter().map(|&name| line(name)).collect()
}

fn fetching(bucket: &BucketUpstream) -> String {
    let mut text = String::new();
    if bucket.is_name() {
        text.push_str("# Looked up again while Caddy runs.\ndynamic a {\n");
        let _ = write!(text, "\tname {}\n\tport {}\n\trefresh 5s\n", bucket.host(), bucket.port());
        if !bucket.resolvers().is_empty() {
            let _ = write!(text, "\tresolvers");
            for resolver in bucket.resolvers() {
                // 2.6 would ask by TCP otherwise.
                let _ = write!(text, " udp/{resolver}");
            }
            text.push('\n');
        }
        text.push_str("}\n");
    }
    text.push_str(
        "transport http {\n\tcompression off\n\
         \t# A bucket that takes connections and says nothing is an error within half a minute, and one that stops within a\n\
         \t# minute. HTTP/2 would count the pauses of a client too.\n\
         \tversions 1.1\n\tdial_timeout 10s\n\tresponse_header_timeout 30s\n\tread_timeout 60s\n",
    );
    if bucket.is_tls() {
        let _ = writeln!(text, "\ttls\n\ttls_timeout 10s\n\ttls_server_name {}", bucket.host());
        if let Some(file) = bucket.trusted_file() {
            let _ = writeln!(text, "\ttls_trusted_ca_certs {}", quoted(file));
        }
    }
    let _ = write!(
        text,
        r"}}

header_up Host {authority}
header_up Accept-Encoding identity
header_up -X-Forwarded-*
header_up -Via

# Nothing of the bucket but the file, its length, type of range, entity tag and date. (What Caddy cannot take away: the
# headers of an interim answer, such as 103, for which it forgets what layers of the application set, and trailers behind
# an answer without a length. Stores send neither.)
header_down -**
@file status 200 206 304
handle_response @file {{
	copy_response_headers {{
		include Content-Length {seen}
	}}
",
        authority = bucket.authority(),
        seen = SEEN.join(" "),
    );
    for name in PLANNED {
        let kept = variable(name);
        let _ = write!(
            text,
            "\t@{kept} not vars {{http.vars.{kept}}} \"\"\n\theader @{kept} {name} {{http.vars.{kept}}}\n"
        );
    }
    text.push_str("\tcopy_response\n}\n\n# The bucket's redirects and error pages name the bucket.\n");
    for masked in MASKED {
        let statuses: Vec<_> = masked.of.iter().map(u16::to_string).collect();
        let matcher = if statuses.is_empty() { String::new() } else { format!("@{} ", masked.name) };
        if !statuses.is_empty() {
            let _ = writeln!(text, "@{} status {}", masked.name, statuses.join(" "));
        }
        let _ = writeln!(text, "handle_response {matcher}{{");
        if masked.status == 416 {
            text.push_str("\tcopy_response_headers {\n\t\tinclude Content-Range\n\t}\n");
        }
        let _ = write!(
            text,
            "\theader Cache-Control no-store\n\theader Content-Type \"text/plain; charset=utf-8\"\n\
             \theader X-Content-Type-Options nosniff\n\
             \trespond \"{}\" {}\n}}\n",
            masked.says, masked.status
        );
    }
    text
}
