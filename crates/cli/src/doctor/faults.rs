//! [`Fault`]: every mistake that is known to be made, and the line that mends it.

use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::Canary;

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

fn fault(id: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Fault {
    Fault { id, what: what.into(), mend: mend.into() }
}

/// Faults that show before anything else.
pub(super) fn unreached(seen: &Seen) -> Vec<Fault> {
    let token = fault(
        "doctor-token",
        "the token is wrong, spent or expired",
        "mount the doctor with a new token; each opens one examination",
    );
    let mount = fault(
        "doctor-not-mounted",
        "the application does not mount the doctor",
        "build it with the feature `doctor` and mount Doctor under /.secure-download-doctor",
    );
    let stripped = fault(
        "headers-stripped",
        "a layer in front of the application takes Authorization or X-Secure-Download-Doctor away",
        "let both headers through while the deployment is checked",
    );
    if seen.status == 200 && seen.body.is_empty() && seen.field("server") == Some("Caddy") {
        return vec![fault(
            "caddy-site",
            "no site address of the Caddyfile matches this host, so Caddy answers itself",
            "http://:PORT {        # or the host name that clients use",
        )];
    }
    vec![token, mount, stripped]
}

/// What a proof that is not right says.
pub(super) fn unproven(dialect: Dialect, proof: &str) -> Vec<Fault> {
    let line = |name: &str, value: &str| match dialect {
        Dialect::Nginx => format!("proxy_set_header {name} \"{value}\";"),
        Dialect::Caddy => format!("header_up {name} \"{value}\""),
        Dialect::Apache => format!("RequestHeader set {name} \"{value}\""),
        Dialect::Lighttpd => format!("setenv.set-request-header += ( \"{name}\" => \"{value}\" )"),
    };
    let set = line("X-Secure-Download-Proof", "<the application's secret>");
    match proof {
        "absent" => vec![
            fault("proof-missing", "the proxy does not add the secret", set),
            fault(
                "around-the-proxy",
                "this address leads to the application itself",
                "let clients reach the proxy only",
            ),
        ],
        "repeated" => {
            vec![fault(
                "proof-added",
                "the proxy adds the secret to what clients send, in place of replacing",
                set,
            )]
        }
        _ => vec![
            fault("proof-differs", "proxy and application have different secrets", set.clone()),
            fault("proof-passed-on", "what a client sends as proof reaches the application", set),
        ],
    }
}

/// A request header of the proxy's language reached the application.
pub(super) fn spoofable(dialect: Dialect, names: &[&str]) -> Vec<Fault> {
    let line = |name: &&str| match dialect {
        Dialect::Nginx => format!("proxy_set_header {name} \"\";\n"),
        Dialect::Caddy => format!("header_up -{name}\n"),
        Dialect::Apache => format!("RequestHeader unset {name}\n"),
        Dialect::Lighttpd => format!("setenv.set-request-header += ( \"{name}\" => \"\" )\n"),
    };
    let mend: String = names.iter().map(line).collect();
    vec![fault("spoofed-headers", "clients may speak the proxy's language to the application", mend)]
}

/// A plain answer did not arrive with its status.
pub(super) fn status_rewritten(dialect: Dialect) -> Vec<Fault> {
    let mend = match dialect {
        Dialect::Nginx => "proxy_intercept_errors off;",
        Dialect::Caddy => "no `handle_response` for a status: match on the header X-Accel-Redirect",
        Dialect::Apache => "ProxyErrorOverride Off",
        Dialect::Lighttpd => {
            "server.errorfile-prefix and magnet scripts must leave the application's answers alone"
        }
    };
    vec![
        fault("proxy-rewrites-status", "the proxy replaces the application's answers by their status", mend),
        fault(
            "layer-rewrites-status",
            "a layer of the application changes the status of finished answers",
            "put the layer inside the routes that do not deliver",
        ),
    ]
}

impl Suspects {
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

    fn nginx_location(&self) -> Fault {
        let mend = format!("location ^~ {}/ {{", self.location);
        fault(
            "nginx-location",
            "no internal location of nginx has this name: nginx asks the application again",
            mend,
        )
    }

    fn nginx_alias(&self) -> Fault {
        let mend = format!("alias {};", self.quoted_folder("/"));
        fault("nginx-alias", "the alias names another folder", mend)
    }

    fn nginx_root(&self) -> Fault {
        let mend = format!("alias {};        # in place of root", self.quoted_folder("/"));
        fault(
            "nginx-root",
            "`root` in place of `alias`: nginx looks for the location's own name in the folder",
            mend,
        )
    }

    pub(super) fn nginx_error_page(&self) -> Fault {
        fault(
            "nginx-error-page",
            "`error_page 404` leads back to the application with the internal name of a file that was not found",
            "error_page 404 /404.html;        # or none, but not a location that asks the application",
        )
    }

    fn permissions(&self) -> Fault {
        let mend = format!("chmod -R o+rX {}        # or run the proxy as the owner", self.quoted_folder(""));
        fault("permissions", "the proxy's account may not read the files, or enter a folder above them", mend)
    }

    fn other_proxy(&self, seen: &Seen) -> Option<Fault> {
        let server = seen.field("server").unwrap_or_default().to_ascii_lowercase();
        let known = Dialect::ALL.into_iter().find(|dialect| server.starts_with(dialect.name()));
        // Another name in front may be a layer that only relays.
        let mend = match known.filter(|dialect| *dialect != self.dialect) {
            Some(other) => format!("AccelRedirect::new(Dialect for {other}, ...) in the application"),
            None => format!(
                "put {} in front of the application, or choose the dialect of what is there",
                self.dialect
            ),
        };
        (seen.shown().is_some() || known != Some(self.dialect)).then(|| {
            fault(
                "other-proxy",
                format!("the proxy that answers does not speak the dialect of {}", self.dialect),
                mend,
            )
        })
    }

    /// A hand-off of the plain canary was answered with something else than the file.
    pub(super) fn not_delivered(&self, seen: &Seen, calls: u64) -> Vec<Fault> {
        let mut faults = match (seen.status, self.dialect) {
            (200, _) if seen.body.is_empty() => self.not_intercepted(seen),
            (200, Dialect::Nginx) => {
                let mend =
                    format!("location ^~ {}/ {{        # ^~ before regular expressions", self.location);
                vec![
                    fault("nginx-regex", "a location with a regular expression takes the target over", mend),
                    self.nginx_alias(),
                ]
            }
            (404, Dialect::Nginx) if !seen.is_page_of_nginx() => {
                vec![self.nginx_location(), self.nginx_error_page(), self.nginx_alias()]
            }
            (404, Dialect::Nginx) if calls > 1 => {
                vec![self.nginx_error_page(), self.nginx_alias(), self.nginx_root()]
            }
            (404, Dialect::Nginx) => vec![self.nginx_alias(), self.nginx_root(), self.canaries()],
            (404, Dialect::Caddy) => vec![self.caddy_root(), self.caddy_prefix(), self.canaries()],
            (404, Dialect::Apache) => vec![self.apache_path(), self.canaries(), self.permissions()],
            (404, Dialect::Lighttpd) => vec![self.canaries()],
            (403, Dialect::Nginx) => vec![
                self.permissions(),
                fault(
                    "nginx-links",
                    "a folder above the files is a symbolic link, which disable_symlinks refuses",
                    format!("disable_symlinks on \"from={}\";", self.folder),
                ),
            ],
            (403, Dialect::Lighttpd) => vec![self.lighttpd_docroot(), self.permissions()],
            (403, _) => vec![self.permissions()],
            (500, Dialect::Nginx) => vec![self.nginx_location()],
            (502, Dialect::Nginx) => vec![self.nginx_buffer(), self.layer_changes()],
            (502, Dialect::Caddy) => vec![self.caddy_handle(), self.layer_changes()],
            _ => vec![self.layer_changes()],
        };
        faults.truncate(3);
        faults
    }

    fn layer_changes(&self) -> Fault {
        fault(
            "layer-rewrites-status",
            "a layer of the application changes the status of an answer that hands off",
            "deliveries stay as they are: apply the layer to other routes only",
        )
    }

    fn not_intercepted(&self, seen: &Seen) -> Vec<Fault> {
        let other = self.other_proxy(seen);
        let mut faults = match self.dialect {
            Dialect::Nginx if seen.shown().is_none() => vec![fault(
                "nginx-ignores",
                "nginx is told to ignore the hand-off",
                "proxy_ignore_headers ...;        # without X-Accel-Redirect",
            )],
            Dialect::Nginx => vec![],
            Dialect::Caddy => vec![self.caddy_handle()],
            Dialect::Apache => vec![
                fault("apache-module", "mod_xsendfile is not loaded", "a2enmod xsendfile"),
                fault("apache-off", "mod_xsendfile is off for this site", "XSendFile On"),
            ],
            Dialect::Lighttpd => {
                vec![fault("lighttpd-off", "x-sendfile is off", "\"x-sendfile\" => \"enable\",")]
            }
        };
        faults.extend(other);
        if faults.is_empty() {
            faults.push(self.layer_changes());
        }
        faults
    }

    fn caddy_handle(&self) -> Fault {
        let mend =
            format!("@hand_off header X-Accel-Redirect {}/*\nhandle_response @hand_off {{", self.location);
        fault("caddy-handle", "no `handle_response` takes this location up", mend)
    }

    fn caddy_root(&self) -> Fault {
        fault("caddy-root", "the root is another folder", format!("root * {}", self.quoted_folder("")))
    }

    fn caddy_prefix(&self) -> Fault {
        let mend = format!("uri strip_prefix {}", self.location);
        fault("caddy-prefix", "the location's own name is looked for in the folder", mend)
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
        let what = format!("headers are lost: {}", names.join(", "));
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
            Dialect::Apache | Dialect::Lighttpd => {
                fault("headers-dropped", what, "a layer in front takes them away: let them through")
            }
        }]
    }

    /// The file came compressed.
    pub(super) fn compressed(&self) -> Vec<Fault> {
        let mend = match self.dialect {
            Dialect::Nginx => "gzip off;        # in the internal location",
            Dialect::Caddy => "encode ...        # not for the application's downloads",
            Dialect::Apache => "SetEnv no-gzip 1        # if a layer behind mod_xsendfile compresses",
            Dialect::Lighttpd => "deflate.mimetypes = ()        # for the application",
        };
        vec![fault("compression", "the proxy compresses files, which breaks ranges and entity tags", mend)]
    }

    /// The file is there for whoever asks for it.
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
