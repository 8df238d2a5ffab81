//! Several rendered sites in one server, as distributions include them.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use secure_download::{Dialect, ProxyConfig};

use super::{ProxyServer, Running};

/// The modules that a rendered site needs of Apache.
const MODULES: [&str; 8] =
    ["mpm_event", "authz_core", "alias", "headers", "proxy", "proxy_http", "setenvif", "xsendfile"];

/// Starts a server with these sites, which `rendered` makes for the address that the server gets.
///
/// # Panics
/// If the server does not take them.
#[must_use]
pub fn start_sites<'a>(
    server: ProxyServer,
    folder: &Path,
    rendered: impl Fn(SocketAddr) -> Vec<ProxyConfig<'a>>,
) -> Running {
    server.start(folder, |listen| {
        let sites = rendered(listen);
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let server_wide = sites[0].server_wide().map(|text| file("server-wide", &text));
        let paths: Vec<_> =
            sites.iter().enumerate().map(|(number, site)| file(&format!("site-{number}"), &site.render())).collect();
        let here = folder.display();
        let mut text = String::new();
        match server.dialect() {
            Dialect::Nginx => {
                let _ = write!(
                    text,
                    "daemon off; user www-data; pid {here}/pid; error_log {here}/error.log; events {{}}\n\
                     http {{ access_log {here}/access.log;\n"
                );
                paths.iter().for_each(|path| text.push_str(&format!("include {path};\n")));
                text.push_str("}\n");
            }
            Dialect::Caddy => {
                let server_wide = server_wide.expect("Caddy has options for the whole server");
                let _ = write!(text, "{{\n\tadmin off\n\tauto_https off\n\timport {server_wide}\n}}\n");
                paths.iter().for_each(|path| text.push_str(&format!("import {path}\n")));
            }
            Dialect::Apache => {
                let _ = write!(
                    text,
                    "ServerName x\nServerRoot {here}\nPidFile {here}/pid\nErrorLog {here}/error.log\nMutex file:{here} default\n\
                     User www-data\nGroup www-data\n"
                );
                for name in MODULES {
                    let _ = writeln!(text, "LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so");
                }
                let _ = writeln!(text, "LogFormat \"%r\" line\nCustomLog {here}/access.log line");
                paths.iter().for_each(|path| text.push_str(&format!("Include {path}\n")));
            }
            Dialect::Lighttpd => {
                let (ip, port) = (listen.ip(), listen.port());
                let _ = write!(
                    text,
                    "server.bind = \"{ip}\"\nserver.port = {port}\nserver.document-root = \"{here}\"\n\
                     server.errorlog = \"{here}/error.log\"\nserver.modules = ( \"mod_access\" )\n"
                );
                paths.iter().for_each(|path| text.push_str(&format!("include \"{path}\"\n")));
            }
        }
        text
    })
}
