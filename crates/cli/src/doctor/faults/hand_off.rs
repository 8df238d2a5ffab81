//! Faults that keep a file from being sent at all.

use secure_download_accel_redirect::Dialect;

use super::{Fault, Suspects, fault};
use crate::doctor::client::Seen;

impl Suspects {
    /// A hand-off of the plain canary was answered with something else than the file.
    pub(in crate::doctor) fn not_delivered(&self, seen: &Seen, calls: u64) -> Vec<Fault> {
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

    fn other_proxy(&self, seen: &Seen) -> Option<Fault> {
        let server = seen.header("server").unwrap_or_default().to_ascii_lowercase();
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

    fn permissions(&self) -> Fault {
        let mend = format!("chmod -R o+rX {}        # or run the proxy as the owner", self.quoted_folder(""));
        fault("permissions", "the proxy's account may not read the files, or enter a folder above them", mend)
    }

    fn layer_changes(&self) -> Fault {
        fault(
            "layer-rewrites-status",
            "a layer of the application changes the status of an answer that hands off",
            "deliveries stay as they are: apply the layer to other routes only",
        )
    }

    fn caddy_prefix(&self) -> Fault {
        let mend = format!("uri strip_prefix {}", self.location);
        fault("caddy-prefix", "the location's own name is looked for in the folder", mend)
    }
}
