//! lighttpd 1.4.

use std::fmt::Write as _;

use super::{ProxyConfig, SPOOFABLE, Standalone, indented, quoted};

pub(super) fn render(config: &ProxyConfig<'_>) -> String {
    let mut text = config.preamble();
    match &config.standalone {
        None => {
            text.push_str("server.modules += ( \"mod_proxy\", \"mod_setenv\" )\n");
            let _ = writeln!(text, "$SERVER[\"socket\"] == \"{}\" {{", config.listen);
            text.push_str(&indented(&site(config), "    "));
            text.push_str("}\n");
        }
        Some(standalone) => {
            text.push_str(&frame(standalone, config));
            text.push_str(&site(config));
        }
    }
    text
}

fn frame(standalone: &Standalone, config: &ProxyConfig<'_>) -> String {
    let file = |name: &str| quoted(&format!("{}/{name}", standalone.folder));
    let host = match config.listen {
        std::net::SocketAddr::V4(address) => address.ip().to_string(),
        std::net::SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    format!(
        r#"server.modules = ( "mod_proxy", "mod_setenv", "mod_accesslog" )
server.bind = {host}
server.port = {port}
server.document-root = {folder}
server.errorlog = {errors}
server.pid-file = {pid}
server.upload-dirs = ( {folder} )
accesslog.filename = {access}
server.tag = "lighttpd"
"#,
        host = quoted(&host),
        port = config.listen.port(),
        folder = quoted(&standalone.folder),
        errors = file("error.log"),
        pid = file("lighttpd.pid"),
        access = file("access.log"),
    )
}

fn site(config: &ProxyConfig<'_>) -> String {
    let mut spoofable = String::new();
    for name in SPOOFABLE {
        let _ = writeln!(spoofable, "    \"{name}\" => \"\",");
    }
    let folders: Vec<_> = config.roots().iter().map(|root| quoted(root.folder())).collect();
    format!(
        r#"
# A symbolic link leads nowhere.
server.follow-symlink = "disable"

# Uploads and answers pass as they come. The application has its own limit for uploads.
server.max-request-size = 0
server.stream-request-body = 2
server.stream-response-body = 2

setenv.set-request-header = (
    # Proves to the application that a request came this way. Replaces whatever the client sent.
    "X-Secure-Download-Proof" => {secret},
    # A client must not speak the proxy's language to the application.
{spoofable})
# Never shown, whatever the application does.
setenv.set-response-header = (
    "X-Accel-Redirect" => "",
    "X-Accel-Limit-Rate" => "",
    "X-Sendfile" => "",
)

# Do not compress the files (mod_deflate): it would break ranges and entity tags.
# lighttpd sends the file under any status: the application's guard takes the header away from all but 200.
proxy.server = ( "" => ((
    "host" => "{host}",
    "port" => {port},
    "x-sendfile" => "enable",
    # Only files of these folders are sent. Without this line, any file of the machine.
    "x-sendfile-docroot" => ( {folders} ),
)))
"#,
        secret = quoted(config.secret.expose()),
        host = config.app.ip(),
        port = config.app.port(),
        folders = folders.join(", "),
    )
}
