//! Faults of a proxy that fetches from a bucket.

use secure_download_accel_redirect::Dialect;

use super::{Compressed, Fault, compressed, fault};
use crate::doctor::client::Seen;
use crate::doctor::masked::Masked;

impl Masked {
    fn not_found(&self) -> Fault {
        let (id, mend) = match self.dialect {
            Dialect::Caddy => (
                "caddy-bucket",
                format!("@bucket header X-Accel-Redirect {}\nhandle_response @bucket {{", self.location),
            ),
            _ => ("nginx-bucket", format!("location = {} {{\n    internal;", self.location)),
        };
        fault(id, "the proxy has no such internal location for the bucket", mend)
    }

    /// A hand-off of the plain canary was answered with something else than the file.
    pub(in crate::doctor) fn not_delivered(&self, seen: &Seen) -> Vec<Fault> {
        if let Some(name) = seen.shown().filter(|_| seen.status == 200 && !seen.body.is_empty()) {
            return self.shown(&[name.to_owned()]);
        }
        let unreachable = fault(
            "bucket-unreachable",
            "the proxy does not reach the bucket, or does not trust its certificate",
            match self.dialect {
                Dialect::Caddy => format!("reverse_proxy ... # {}, tls_server_name, resolvers", self.origin),
                _ => format!(
                    "proxy_pass {}$sd_fetched; # resolver, proxy_ssl_trusted_certificate",
                    self.origin
                ),
            },
        );
        let refuses = fault(
            "bucket-refuses",
            "the bucket does not take the signed URL: the proxy changes it, or sends another Host than was signed",
            match self.dialect {
                Dialect::Caddy => format!("header_up Host {}", self.host()),
                _ => format!("proxy_set_header Host {};", self.host()),
            },
        );
        let canaries = fault(
            "bucket-canaries",
            "the canaries are not in the bucket",
            "secure-download doctor --write-canaries FOLDER # then copy FOLDER into the bucket",
        );
        match seen.status {
            404 => vec![canaries, self.not_found()],
            502 if seen.text().trim() == "delivery failed" => vec![unreachable, refuses],
            _ => vec![self.not_found(), refuses, unreachable],
        }
    }

    /// A key that needs escaping opened something else.
    pub(in crate::doctor) fn wrong_target(&self) -> Vec<Fault> {
        let mend = match self.dialect {
            Dialect::Caddy => {
                "rewrite * /__path__?__query__\nuri replace /__path__ {http.reverse_proxy.header.X-Store-Path} 1"
            }
            _ => "set $sd_fetched $sd_target;        # and no rewrite in the location",
        };
        vec![fault("bucket-target", "the signed path is escaped or unescaped on its way", mend)]
    }

    /// Headers of the plan that did not arrive as they were sent.
    pub(in crate::doctor) fn headers_lost(&self, names: &[String]) -> Vec<Fault> {
        let what = format!("headers are lost, or the bucket's stand in their place: {}", names.join(", "));
        let line = |name: &String| {
            let kept = name.replace('-', "_");
            match self.dialect {
                Dialect::Caddy => format!(
                    "vars secure_download_{kept} {{http.reverse_proxy.header.{name}}}\n\
                     header {name} {{http.vars.secure_download_{kept}}}        # before copy_response\n"
                ),
                _ => format!("set $sd_{kept} $upstream_http_{kept};\nadd_header {name} $sd_{kept} always;\n"),
            }
        };
        let id = if self.dialect == Dialect::Caddy { "caddy-headers" } else { "nginx-headers" };
        vec![fault(id, what, names.iter().map(line).collect::<String>())]
    }

    /// Headers of the bucket are visible on a file.
    pub(in crate::doctor) fn shown(&self, names: &[String]) -> Vec<Fault> {
        let mend = match self.dialect {
            Dialect::Caddy => "header_down -**        # in the block that fetches from the bucket".to_owned(),
            _ => {
                let line = |name: &String| format!("proxy_hide_header {name};\n");
                let lines: String = names.iter().map(line).collect();
                let location = &self.location;
                format!("{lines}# in `location = {location}`; --headers-more renders a rule for all names")
            }
        };
        vec![fault("bucket-shown", "the bucket shows through", mend)]
    }

    /// The file came in these encodings.
    pub(in crate::doctor) fn compressed(&self, found: &[Compressed]) -> Vec<Fault> {
        compressed(self.dialect, &format!("location = {}", self.location), found)
    }

    /// A missing file's answer tells of the bucket, or is none.
    pub(in crate::doctor) fn error_shown(&self) -> Vec<Fault> {
        let mend = match self.dialect {
            Dialect::Caddy => "@missing status 404 410\nhandle_response @missing {",
            _ => "proxy_intercept_errors on;\nerror_page 404 410 = @secure_download_missing;",
        };
        vec![fault("bucket-errors", "the bucket's own error pages reach the client", mend)]
    }

    /// A range was not answered as such.
    pub(in crate::doctor) fn ranges(&self) -> Vec<Fault> {
        let mend = match self.dialect {
            Dialect::Caddy => "request_header @secure_download_range Range {http.vars.secure_download_range}",
            _ => "proxy_set_header Range $sd_range;",
        };
        vec![fault("bucket-ranges", "Range does not reach the bucket", mend)]
    }

    /// A body came behind the answer to a HEAD.
    pub(in crate::doctor) fn head_has_a_body(&self) -> Vec<Fault> {
        vec![fault(
            "bucket-method",
            "HEAD is turned into GET for the client too: the next answer is read wrongly",
            "@body not method HEAD\nmethod @body POST",
        )]
    }

    /// Clients may ask for the location themselves.
    pub(in crate::doctor) fn public(&self) -> Vec<Fault> {
        vec![fault("nginx-not-internal", "clients may ask for the location itself", "internal;")]
    }

    /// An answer that is not 200 handed a file off.
    pub(in crate::doctor) fn unguarded(&self) -> Vec<Fault> {
        let layer = fault(
            "guard-missing",
            "an answer whose status a layer changed would still send its file",
            ".layer(masked.guard())        // outermost, in the application",
        );
        let own = match self.dialect {
            Dialect::Caddy => "status 200        # beside `header X-Accel-Redirect ...` in the matcher",
            _ => "if ($upstream_status !~ \"200$\") {\n    return 502;\n}",
        };
        vec![layer, fault("status-ignored", "the proxy sends a file whatever the status", own)]
    }
}
