//! nginx, fetching from a bucket.

use std::fmt::Write as _;

use super::bucket::{ASKED, MASKED, ONE_RANGE, SEEN};
use super::nginx_names::{ANSWERED_BY_SERVERS, SHOWN_BY_STORES};
use super::{ProxyConfig, quoted};
use crate::BucketUpstream;

/// Beside Debian's nginx, in whose folder names without a slash in front are looked for.
pub(super) const LOAD_MODULE: &str = "load_module modules/ngx_http_headers_more_filter_module.so;\n";

/// What nginx copies of the application's own headers, beside `Set-Cookie`.
const COPIED: [&str; 3] = ["Content-Disposition", "Cache-Control", "Expires"];

/// Looks at what the application names, and at what the client asks, before anything is done with it.
pub(super) fn maps() -> String {
    format!(
        r#"
# What the application may name in a bucket: a path with one slash in front, and a query. Never another server.
map "$upstream_http_x_store_path?$upstream_http_x_store_query" $sd_target {{
    "~^(?<sd_path>/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/-]*[?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]+)$" $sd_path;
    default "";
}}

# A bucket is asked for one part at a time: stores answer several in ways of their own. For several it sends all.
map $http_range $sd_range {{
    "~*{ONE_RANGE}" $http_range;
    default "";
}}
"#
    )
}

/// A location for each bucket, and what stands for the bucket's errors.
pub(super) fn locations(config: &ProxyConfig<'_>) -> String {
    if config.buckets.is_empty() {
        return String::new();
    }
    let mut text: String = config.buckets.iter().map(|bucket| location(config, bucket)).collect();
    let clear = match config.headers_more {
        true => format!("        more_clear_headers {};\n", COPIED.join(" ")),
        false => String::new(),
    };
    for masked in MASKED {
        let length = match masked.status {
            416 => "        add_header Content-Range $upstream_http_content_range always;\n",
            _ => "",
        };
        let _ = write!(
            text,
            r#"
    location @secure_download_{name} {{
        default_type text/plain;
        error_log stderr emerg;
{clear}        add_header Cache-Control no-store always;
        add_header X-Content-Type-Options nosniff always;
{length}        return {status} "{says}\n";
    }}
"#,
            name = masked.name,
            status = masked.status,
            says = masked.says,
        );
    }
    text.push_str(
        r"
    # nginx itself copies WWW-Authenticate onto what stands for a 401, and takes it back when a client is let in after all.
    location @secure_download_unauthorized {
        satisfy any;
        allow all;
        error_log stderr emerg;
        try_files /secure-download/none @secure_download_failed;
    }
",
    );
    text
}

fn location(config: &ProxyConfig<'_>, bucket: &BucketUpstream) -> String {
    let mut text = format!(
        r#"
    location = {location} {{
        # Not for whoever asks for it: only the application leads here, with a status of 200.
        internal;
        if ($upstream_status !~ "200$") {{
            return 502;
        }}
        # With it, a bucket that answers 101 would have a tunnel to the client.
        if ($http_upgrade) {{
            return 502;
        }}

        # Read before the bucket answers: afterwards these would be the bucket's own.
        set $sd_fetched $sd_target;
        if ($sd_fetched = "") {{
            return 502;
        }}
"#,
        location = bucket.location(),
    );
    let mut kept: Vec<&str> = config.kept.iter().map(String::as_str).collect();
    if config.headers_more {
        let others =
            COPIED.iter().filter(|&&name| !config.kept.iter().any(|kept| kept.eq_ignore_ascii_case(name)));
        kept.extend(others);
    }
    for name in &kept {
        let _ = writeln!(text, "        set ${} $upstream_http_{};", variable(name), underscored(name));
    }
    text.push_str("\n        # nginx drops all of the application's headers but a few; each is put back. Empty ones are not sent.\n");
    for name in &kept {
        let _ = writeln!(text, "        add_header {name} ${} always;", variable(name));
    }
    text.push_str(&fetching(bucket));
    for compressor in &config.compressors {
        let _ = writeln!(text, "        {}", compressor.off());
    }
    text.push_str(&hiding(config));
    text.push_str(&masking());
    text
}

/// What keeps the bucket's headers from the client.
fn hiding(config: &ProxyConfig<'_>) -> String {
    let mut text = String::new();
    if config.headers_more {
        text.push_str(
            "\n        # Nothing of the bucket but the file, its length, type of range, entity tag and date: every name goes but\n\
             \x20       # Set-Cookie, which is the application's, and these are put back.\n",
        );
        let mut line = String::from("        more_clear_headers");
        for name in every_name_but_set_cookie() {
            if line.len() + name.len() > 120 {
                let _ = writeln!(text, "{line}");
                line = String::from("           ");
            }
            let _ = write!(line, " {name}");
        }
        let _ = writeln!(text, "{line};");
        for name in SEEN {
            let _ = writeln!(text, "        add_header {name} $upstream_http_{} always;", underscored(name));
        }
        for name in ["Content-Type", "Set-Cookie", "Set-Cookie2"] {
            let _ = writeln!(text, "        proxy_hide_header {name};");
        }
    } else {
        text.push_str(
            "\n        # Nothing of the bucket but the file, its length, type of range, entity tag and date, as far as names are known.\n\
             \x20       # ALL OTHERS STAY VISIBLE, such as x-amz-meta-*: only with the headers-more module nginx can hide them.\n",
        );
        let kept = config.kept.iter().map(String::as_str);
        let mut names: Vec<&str> =
            ANSWERED_BY_SERVERS.into_iter().chain(SHOWN_BY_STORES).chain(kept).collect();
        names.sort_by_key(|name| name.to_ascii_lowercase());
        names.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        for name in names {
            let _ = writeln!(text, "        proxy_hide_header {name};");
        }
    }
    text
}

/// What keeps the bucket's redirects and error pages from the client.
fn masking() -> String {
    let mut text = String::from(
        r"
        # The bucket's redirects and error pages name the bucket. (What nginx has no name for is passed on as it comes: 499,
        # what is below 300 or above 599, an answer that is no HTTP. Stores send none of it; one that meant ill could write
        # the client's whole answer by it, cookies and script included.)
        proxy_redirect off;
        proxy_intercept_errors on;
        error_page 401 = @secure_download_unauthorized;
",
    );
    // A 304 has no page, and nginx refuses 499, which stands for a client that has gone away.
    let mut others: Vec<u16> = (300..=599).filter(|status| ![304, 401, 499].contains(status)).collect();
    for masked in MASKED {
        let of = if masked.of.is_empty() { std::mem::take(&mut others) } else { masked.of.to_vec() };
        others.retain(|status| !of.contains(status));
        let mut line = String::from("        error_page");
        for status in of {
            if line.len() > 115 {
                let _ = writeln!(text, "{line}");
                line = String::from("           ");
            }
            let _ = write!(line, " {status}");
        }
        let _ = writeln!(text, "{line} = @secure_download_{};", masked.name);
    }
    text.push_str(
        r"
        # For the many names above.
        proxy_headers_hash_max_size 2048;
        proxy_headers_hash_bucket_size 128;
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        proxy_max_temp_file_size 0;
        gzip off;
        charset off;
    }
",
    );
    text
}

/// Patterns of headers-more, which has a star at the end only, for every name but those that begin with `set-c`. Of these
/// nginx itself takes the bucket's `Set-Cookie` away.
fn every_name_but_set_cookie() -> Vec<String> {
    const KEPT: &str = "set-c";
    // RFC 9110 section 5.6.2.
    const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    let mut patterns = Vec::new();
    for (length, next) in KEPT.char_indices() {
        let start = &KEPT[..length];
        if length > 0 {
            patterns.push(format!("\"{start}\""));
        }
        // A hyphen in front would make it an option of the directive.
        let others = TOKEN.chars().filter(|&other| other != next && !(start.is_empty() && other == '-'));
        patterns.extend(others.map(|other| format!("\"{start}{other}*\"")));
    }
    patterns
}

/// How the request to the bucket looks, and how the bucket is known to be the right one.
fn fetching(bucket: &BucketUpstream) -> String {
    let asked = ASKED.map(|name| match name {
        "Range" => "        proxy_set_header Range $sd_range;\n".to_owned(),
        _ => format!("        proxy_set_header {name} $http_{};\n", underscored(name)),
    });
    let mut text = format!(
        r#"
        # With a variable in it, the signed target is passed on byte for byte, and the name is looked up while nginx runs.
        proxy_pass {origin}$sd_fetched;
        proxy_http_version 1.1;
        # Nothing of the client's request reaches the bucket but what stands here: no cookie, no credential.
        proxy_pass_request_body off;
        proxy_pass_request_headers off;
        proxy_set_header Host {authority};
        proxy_set_header Connection "";
        proxy_set_header Content-Length "";
        proxy_set_header Accept-Encoding identity;
{asked}        # The bucket does not speak nginx's language.
        proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset
            Set-Cookie Cache-Control Expires Vary;
        proxy_hide_header X-Accel-Redirect;

        # A bucket that takes connections and says nothing is an error within half a minute.
        proxy_connect_timeout 10s;
        proxy_read_timeout 30s;
        proxy_next_upstream_timeout 30s;

        # At every lower level nginx writes signed URLs into its log.
        error_log stderr emerg;
"#,
        origin = bucket.origin(),
        authority = bucket.authority(),
        asked = asked.concat(),
    );
    if !bucket.resolvers().is_empty() {
        let _ = write!(text, "        resolver");
        for resolver in bucket.resolvers() {
            let _ = write!(text, " {resolver}");
        }
        text.push_str(";\n        resolver_timeout 5s;\n");
    }
    if bucket.is_tls() {
        let _ = write!(
            text,
            r"
        # nginx verifies no certificate unless told so.
        proxy_ssl_server_name on;
        proxy_ssl_name {host};
        proxy_ssl_verify on;
        proxy_ssl_verify_depth 4;
        proxy_ssl_trusted_certificate {trusted};
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
",
            host = bucket.host(),
            trusted = quoted(bucket.trusted_file().unwrap_or("/etc/ssl/certs/ca-certificates.crt")),
        );
    }
    text
}

fn underscored(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn variable(name: &str) -> String {
    format!("sd_{}", underscored(name))
}
