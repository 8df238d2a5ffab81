//! [`Fault`]: every mistake that is known to be made, and the line that mends it.

mod bucket;
mod compression;
mod hand_off;
mod signed;
mod site;

use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::Canary;

pub(super) use self::compression::{Compressed, compressed};
pub(super) use self::signed::{
    PRIVATE, clocks_apart, long_redirects, signed_url_refused, signer_fails, store_unreachable,
    world_readable,
};
pub(super) use self::site::{
    cached, connection_drops_proof, made_up, spoofable, status_rewritten, trace_shows_proof,
    unfinished_heads, unproven, unreachable, unreached,
};
use super::client::Seen;

/// One mistake that fits what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A short name that does not change.
    pub id: &'static str,
    /// What is wrong.
    pub what: String,
    /// The configuration line that mends it, or what else to do.
    pub mend: String,
}

/// Faults of one proxy about one folder.
#[derive(Debug, Clone)]
pub(super) struct Suspects {
    pub(super) dialect: Dialect,
    pub(super) location: String,
    pub(super) folder: String,
}

pub(super) fn fault(id: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Fault {
    Fault { id, what: what.into(), mend: mend.into() }
}

impl Suspects {
    /// How rows name the root.
    pub(super) fn label(&self) -> Option<&str> {
        Some(&self.location)
    }

    fn quoted_folder(&self, end: &str) -> String {
        format!("\"{}{end}\"", self.folder.replace('"', "\\\""))
    }

    fn canaries(&self) -> Fault {
        fault(
            "canaries-missing",
            "the canary files were not written into the folder",
            format!("secure-download doctor --write-canaries {}", self.quoted_folder("")),
        )
    }

    pub(super) fn nginx_error_page(&self) -> Fault {
        fault(
            "nginx-error-page",
            "`error_page 404` leads back to the application with the internal name of a file that was not found",
            "error_page 404 /404.html;        # or none, but not a location that asks the application",
        )
    }

    fn caddy_handle(&self) -> Fault {
        let mend =
            format!("@hand_off header X-Accel-Redirect {}/*\nhandle_response @hand_off {{", self.location);
        fault("caddy-handle", "no `handle_response` takes this location up", mend)
    }

    fn caddy_root(&self) -> Fault {
        fault("caddy-root", "the root is another folder", format!("root * {}", self.quoted_folder("")))
    }

    fn apache_path(&self) -> Fault {
        let mend = format!("XSendFilePath {}", self.quoted_folder(""));
        fault("apache-path", "mod_xsendfile may not send files of this folder", mend)
    }

    fn lighttpd_docroot(&self) -> Fault {
        let mend = format!("\"x-sendfile-docroot\" => ( {} ),", self.quoted_folder(""));
        fault("lighttpd-docroot", "x-sendfile-docroot does not hold this folder", mend)
    }

    fn nginx_buffer(&self) -> Fault {
        fault(
            "nginx-buffer",
            "the application's headers are longer than nginx's buffer",
            "proxy_buffer_size 16k;\nproxy_buffers 8 16k;",
        )
    }

    /// An answer with long headers did not arrive.
    pub(super) fn too_long(&self) -> Vec<Fault> {
        match self.dialect {
            Dialect::Nginx => vec![self.nginx_buffer()],
            _ => vec![fault(
                "long-headers",
                "a layer in front of the application refuses long headers",
                "let 16 KiB of response headers through",
            )],
        }
    }

    /// The odd canary's hand-off brought something else.
    pub(super) fn wrong_escaping(&self, seen: &Seen) -> Vec<Fault> {
        let decoy =
            Canary::decoy(&seen.body).map_or_else(String::new, |name| format!(" ({name:?} was opened)"));
        let what = format!("the escaping is not undone exactly once{decoy}");
        let own = match self.dialect {
            Dialect::Caddy => fault(
                "caddy-escaping",
                what,
                "rewrite * /__accel__?\nuri replace /__accel__ {http.reverse_proxy.header.X-Accel-Redirect} 1",
            ),
            Dialect::Apache => fault(
                "apache-escaping",
                what,
                "Header set X-Sendfile \"expr=%{unescape:%{resp:X-Sendfile}}\" \"expr=-n %{resp:X-Sendfile}\"",
            ),
            Dialect::Nginx => fault(
                "nginx-escaping",
                what,
                format!("location ^~ {}/ {{        # no rewrite in it", self.location),
            ),
            Dialect::Lighttpd => fault(
                "lighttpd-escaping",
                what,
                "no url.rewrite or magnet script for the application's answers",
            ),
        };
        if seen.status == 200 { vec![own] } else { vec![own, self.canaries()] }
    }

    /// Headers of the plan that did not arrive as they were sent.
    pub(super) fn headers_lost(&self, names: &[String]) -> Vec<Fault> {
        let what = format!("headers are lost, or a second line contradicts them: {}", names.join(", "));
        vec![match self.dialect {
            Dialect::Nginx => {
                let line = |name: &String| {
                    format!("add_header {name} $upstream_http_{} always;\n", name.replace('-', "_"))
                };
                fault("nginx-headers", what, names.iter().map(line).collect::<String>())
            }
            Dialect::Caddy => fault(
                "caddy-headers",
                what,
                "copy_response_headers {\n    exclude X-Accel-Redirect Content-Length Content-Encoding Accept-Ranges Etag \
                 Last-Modified Date Server Connection\n}",
            ),
            Dialect::Apache | Dialect::Lighttpd => fault(
                "headers-dropped",
                what,
                "a layer in front takes them away, or adds its own: let them through alone",
            ),
        }]
    }

    /// The file came in these encodings.
    pub(super) fn compressed(&self, found: &[Compressed]) -> Vec<Fault> {
        compressed(self.dialect, &format!("location ^~ {}/", self.location), found)
    }

    /// The file is open to every client.
    pub(super) fn public(&self, by_location: bool) -> Vec<Fault> {
        if by_location && self.dialect == Dialect::Nginx {
            return vec![fault("nginx-not-internal", "clients may ask for the location itself", "internal;")];
        }
        vec![fault(
            "folder-public",
            "the proxy serves the folder, or one above it, to everybody",
            format!("no root, alias or file server for {} but the hand-off's", self.quoted_folder("")),
        )]
    }

    /// The location, or its alias, begins more than itself.
    pub(super) fn nginx_slash(&self) -> Vec<Fault> {
        let mend = format!("location ^~ {}/ {{\n    alias {};", self.location, self.quoted_folder("/"));
        vec![fault(
            "nginx-slash",
            "location and alias do not both end with a slash: siblings are served too",
            mend,
        )]
    }

    /// A target outside of the folder was sent.
    pub(super) fn outside(&self) -> Vec<Fault> {
        match self.dialect {
            Dialect::Nginx => self.nginx_slash(),
            Dialect::Caddy => vec![self.caddy_root()],
            Dialect::Apache => vec![self.apache_path()],
            Dialect::Lighttpd => vec![self.lighttpd_docroot()],
        }
    }

    /// A symbolic link was followed out of the folder.
    pub(super) fn links(&self) -> Vec<Fault> {
        vec![match self.dialect {
            Dialect::Lighttpd => fault(
                "lighttpd-links",
                "symbolic links are followed out of the folder",
                "server.follow-symlink = \"disable\"",
            ),
            _ => fault(
                "nginx-links",
                "symbolic links are followed out of the folder",
                format!("disable_symlinks on \"from={}\";", self.folder),
            ),
        }]
    }

    /// A body came behind the answer to a HEAD.
    pub(super) fn head_has_a_body(&self) -> Vec<Fault> {
        vec![match self.dialect {
            Dialect::Caddy => fault(
                "caddy-method",
                "`method * GET` puts a body behind the answer to HEAD: the next answer is read wrongly",
                "@other not method GET HEAD\nmethod @other GET",
            ),
            _ => fault(
                "head-body",
                "a body comes behind the answer to HEAD",
                "a layer in front turns HEAD into GET",
            ),
        }]
    }

    /// Two files have one entity tag.
    pub(super) fn same_tag(&self) -> Vec<Fault> {
        vec![match self.dialect {
            Dialect::Apache => {
                fault("apache-etag", "mod_xsendfile gives every file the same entity tag", "FileETag None")
            }
            _ => fault(
                "same-etag",
                "two files have one entity tag",
                "a layer in front sets ETag: leave it alone",
            ),
        }]
    }

    /// A range was not answered as such.
    pub(super) fn ranges(&self) -> Vec<Fault> {
        let mend = match self.dialect {
            Dialect::Nginx => "max_ranges ...;        # not 0",
            Dialect::Lighttpd => "server.range-requests = \"enable\"",
            Dialect::Caddy | Dialect::Apache => {
                "RequestHeader or header_up lines must leave Range and If-Range alone"
            }
        };
        vec![
            fault("ranges-off", "the proxy does not answer ranges of files", mend),
            fault("ranges-stripped", "a layer in front takes Range or If-Range away", "let both through"),
        ]
    }

    /// A condition about the validators that were given was not answered as such.
    pub(super) fn conditions(&self) -> Vec<Fault> {
        let own = match self.dialect {
            Dialect::Nginx => "no `etag off` and no `add_header ETag` or `Last-Modified`",
            _ => "no line that sets or removes ETag or Last-Modified",
        };
        vec![
            fault("validators-replaced", "the proxy sends other validators than it compares", own),
            fault(
                "conditions-stripped",
                "a layer in front takes If-None-Match or If-Match away",
                "let both through",
            ),
        ]
    }

    /// An answer that is not 200 handed a file off.
    pub(super) fn unguarded(&self) -> Vec<Fault> {
        let layer = fault(
            "guard-missing",
            "an answer whose status a layer changed would still send its file",
            ".layer(accel.guard())        // outermost, in the application",
        );
        let own = match self.dialect {
            Dialect::Nginx => "if ($upstream_status !~ \"200$\") {\n    return 502;\n}",
            Dialect::Caddy => "status 200        # beside `header X-Accel-Redirect ...` in the matcher",
            Dialect::Apache => "Header unset X-Sendfile \"expr=%{REQUEST_STATUS} != 200\"",
            Dialect::Lighttpd => return vec![layer],
        };
        vec![layer, fault("status-ignored", "the proxy sends a file whatever the status", own)]
    }

    /// A missing file was not answered with 404.
    pub(super) fn missing(&self) -> Vec<Fault> {
        vec![
            fault(
                "missing-replaced",
                "another page takes the place of a missing file",
                "no error page or fallback in the hand-off's block",
            ),
            self.canaries(),
        ]
    }
}
