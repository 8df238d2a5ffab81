//! nginx, fetching from a bucket.

use std::fmt::Write as _;

use super::{ProxyConfig, quoted};
use crate::BucketUpstream;

/// Beside Debian's nginx, in whose folder names without a slash in front are looked for.
pub(super) const LOAD_MODULE: &str = "load_module modules/ngx_http_headers_more_filter_module.so;\n";

/// Looks at what the application names before anything is done with it.
pub(super) const MAPS: &str = r#"
# What the application may name in a bucket: a path with one slash in front, and a query. Never another server.
map "$upstream_http_x_store_path?$upstream_http_x_store_query" $sd_target {
    "~^(?<sd_path>/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/-]*[?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]+)$" $sd_path;
    default "";
}
"#;

/// Headers of the well-known stores that are not about the file.
const SHOWN_BY_STORES: [&str; 34] = [
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amz-version-id",
    "x-amz-delete-marker",
    "x-amz-expiration",
    "x-amz-restore",
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-replication-status",
    "x-amz-bucket-region",
    "x-amz-mp-parts-count",
    "x-amz-tagging-count",
    "x-amz-missing-meta",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-lock-legal-hold",
    "x-amz-website-redirect-location",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-rgw-object-type",
    "x-minio-deployment-id",
    "x-guploader-uploadid",
    "x-goog-generation",
    "x-goog-hash",
    "x-ms-request-id",
    "x-ms-version",
    "cf-ray",
];

/// A location for each bucket, and what stands for the bucket's errors.
pub(super) fn locations(config: &ProxyConfig<'_>) -> String {
    if config.buckets.is_empty() {
        return String::new();
    }
    let mut text: String = config.buckets.iter().map(|bucket| location(config, bucket)).collect();
    let clear = if config.headers_more { "        more_clear_headers Content-Disposition;\n" } else { "" };
    for (name, status, says, more) in [
        ("missing", 404, "not found", ""),
        ("changed", 412, "changed", ""),
        (
            "unsatisfiable",
            416,
            "no such range",
            "        add_header Content-Range $upstream_http_content_range always;\n",
        ),
        ("failed", 502, "delivery failed", ""),
    ] {
        let _ = write!(
            text,
            r#"
    location @secure_download_{name} {{
        default_type text/plain;
        error_log stderr crit;
        add_header X-Content-Type-Options nosniff always;
{more}{clear}        return {status} "{says}\n";
    }}
"#
        );
    }
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

        # Read before the bucket answers: afterwards these would be the bucket's own.
        set $sd_fetched $sd_target;
        if ($sd_fetched = "") {{
            return 502;
        }}
"#,
        location = bucket.location(),
    );
    for name in &config.kept {
        let _ = writeln!(text, "        set ${} $upstream_http_{};", kept(name), variable(name));
    }
    text.push_str("\n        # nginx drops all of the application's headers but a few; each is put back. Empty ones are not sent.\n");
    for name in &config.kept {
        let _ = writeln!(text, "        add_header {name} ${} always;", kept(name));
    }
    text.push_str(&fetching(bucket));
    text.push_str(
        "\n        # Nothing of the bucket but the file, its length, type of range, entity tag and date.\n",
    );
    for name in [
        "Content-Type",
        "Content-Disposition",
        "Cache-Control",
        "Expires",
        "Set-Cookie",
        "Server",
        "Location",
        "Content-Location",
        "Refresh",
        "Alt-Svc",
        "Link",
        "Via",
    ] {
        let _ = writeln!(text, "        proxy_hide_header {name};");
    }
    for name in &config.kept {
        let _ = writeln!(text, "        proxy_hide_header {name};");
    }
    if config.headers_more {
        text.push_str("        more_clear_headers 'x-amz-*' 'x-goog-*' 'x-ms-*' 'x-rgw-*' 'x-minio-*' 'x-guploader-*' 'cf-*';\n");
    } else {
        text.push_str(
            "        # Only these by name. Others, such as x-amz-meta-*, STAY VISIBLE without the headers-more module; with it:\n\
             \x20       # more_clear_headers 'x-amz-*';\n",
        );
        for name in SHOWN_BY_STORES {
            let _ = writeln!(text, "        proxy_hide_header {name};");
        }
    }
    text.push_str(
        r"
        # The bucket's redirects and error pages name the bucket.
        proxy_redirect off;
        proxy_intercept_errors on;
        error_page 404 410 = @secure_download_missing;
        error_page 412 = @secure_download_changed;
        error_page 416 = @secure_download_unsatisfiable;
        error_page 300 301 302 303 305 307 308 400 401 402 403 405 406 407 408 409 411 413 414 415 417 421 422 423 424 425 426
            428 429 431 451 500 501 502 503 504 505 506 507 508 510 511 = @secure_download_failed;

        # For the many names above.
        proxy_headers_hash_max_size 1024;
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

/// How the request to the bucket looks, and how the bucket is known to be the right one.
fn fetching(bucket: &BucketUpstream) -> String {
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
        proxy_set_header Range $http_range;
        proxy_set_header If-Range $http_if_range;
        proxy_set_header If-Match $http_if_match;
        proxy_set_header If-None-Match $http_if_none_match;
        proxy_set_header If-Modified-Since $http_if_modified_since;
        proxy_set_header If-Unmodified-Since $http_if_unmodified_since;
        # The bucket does not speak nginx's language.
        proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset
            Set-Cookie Cache-Control Expires Vary;
        proxy_hide_header X-Accel-Redirect;

        # At lower levels nginx writes signed URLs into its log.
        error_log stderr crit;
"#,
        origin = bucket.origin(),
        authority = bucket.authority(),
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

fn variable(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn kept(name: &str) -> String {
    format!("sd_{}", variable(name))
}
