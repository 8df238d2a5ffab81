//! lighttpd 1.4.

use std::fmt::Write as _;

use super::visitor::{HOP_NOTE, OTHER_NAMES};
use super::{ProxyConfig, SPOOFABLE, Standalone, indented, quoted};

pub(super) fn render(config: &ProxyConfig<'_>) -> String {
    let mut text = config.preamble();
    let mut site = site(config);
    if !config.names.is_empty() {
        let names: Vec<_> = config.names.iter().map(|name| name.replace('.', "[.]")).collect();
        let condition = format!("$HTTP[\"host\"] =~ \"^(?i:{})(?::[0-9]+)?$\"", names.join("|"));
        site = format!("{condition} {{\n{}}}\n", indented(&site, "    "));
    }
    match &config.standalone {
        None => {
            let _ = writeln!(text, "server.modules += ( {} )", modules(config));
            let ip = config.listen.ip.map_or_else(String::new, |_| config.listen.text());
            let socket = if ip.is_empty() { format!(":{}", config.listen.port) } else { ip };
            let _ = write!(text, "$SERVER[\"socket\"] == \"{socket}\" {{\n{}}}\n", indented(&site, "    "));
        }
        Some(standalone) => {
            text.push_str(&frame(standalone, config));
            text.push_str(&site);
        }
    }
    text
}

/// In the order in which they see a request.
fn modules(config: &ProxyConfig<'_>) -> String {
    let mut modules = Vec::new();
    if !config.hops.is_empty() {
        modules.push("mod_extforward");
    }
    if config.path.is_some() {
        modules.extend(["mod_rewrite", "mod_redirect"]);
    }
    modules.extend(["mod_setenv", "mod_proxy", "mod_accesslog"]);
    modules.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

fn frame(standalone: &Standalone, config: &ProxyConfig<'_>) -> String {
    let file = |name: &str| quoted(&format!("{}/{name}", standalone.folder));
    let bind = match config.listen.ip {
        None => String::new(),
        Some(std::net::IpAddr::V4(ip)) => format!("server.bind = \"{ip}\"\n"),
        Some(std::net::IpAddr::V6(ip)) => format!("server.bind = \"[{ip}]\"\n"),
    };
    format!(
        r#"server.modules = ( {modules} )
{bind}server.port = {port}
server.document-root = {folder}
server.errorlog = {errors}
server.pid-file = {pid}
server.upload-dirs = ( {folder} )
server.tag = "lighttpd"
"#,
        modules = modules(config),
        port = config.listen.port,
        folder = quoted(&standalone.folder),
        errors = file("error.log"),
        pid = file("lighttpd.pid"),
    )
}

fn log(config: &ProxyConfig<'_>) -> String {
    match config.log_file() {
        None => "# The server's own log would keep tokens of links. `--access-log FILE` renders one that does not.\n\
                 accesslog.filename = \"/dev/null\"\n"
            .to_owned(),
        Some(file) => format!(
            r#"# Tokens of links are long segments of paths, signatures stand in queries: neither is logged. Malformed requests match no
# condition, and are not logged at all.
accesslog.filename = "/dev/null"
$HTTP["url"] !~ "/[^/]{{40}}" {{
    accesslog.filename = {file}
    accesslog.format = "%h %t \"%m %U %H\" %>s %b"
}}
$HTTP["url"] =~ "/[^/]{{40}}" {{
    accesslog.filename = {file}
    accesslog.format = "%h %t \"%m [cut] %H\" %>s %b"
}}
"#,
            file = quoted(&file),
        ),
    }
}

/// The path that the application lives at. lighttpd's own `map-urlpath` would put the path before links that have it already.
fn path(config: &ProxyConfig<'_>) -> String {
    let Some(path) = &config.path else { return String::new() };
    format!(
        r#"
# The application is asked without the path. What lies elsewhere is 404.
url.rewrite-once = (
    "^{pattern}(/.*)$" => "$1",
    "^{pattern}([?].*)?$" => "/.secure-download-root$1",
    "" => "/.secure-download-elsewhere",
)
url.redirect-code = 308
url.redirect = ( "^/[.]secure-download-root([?].*)?$" => "{path}/$1" )
$HTTP["url"] == "/.secure-download-elsewhere" {{
    proxy.server = ()
}}
"#,
        pattern = path.replace('.', "[.]"),
    )
}

fn hops(config: &ProxyConfig<'_>) -> String {
    if config.hops.is_empty() {
        return String::new();
    }
    let hops: String =
        config.hops.iter().map(|hop| format!("    \"{}\" => \"trust\",\n", hop.shortest())).collect();
    format!("\n{HOP_NOTE}extforward.headers = ( \"X-Forwarded-For\" )\nextforward.forwarder = (\n{hops})\n")
}

/// Headers of the request to the application. lighttpd itself adds the peer to `X-Forwarded-For`, and sets `-Proto` and `-Host`.
fn headers(config: &ProxyConfig<'_>) -> String {
    let removed = |names: &[&str]| -> String {
        names.iter().map(|name| format!("    \"{name}\" => \"\",\n")).collect()
    };
    let others: Vec<&str> = OTHER_NAMES.into_iter().filter(|&name| !config.says(name)).collect();
    let prefix = match &config.path {
        Some(path) => format!("    \"X-Forwarded-Prefix\" => \"{path}\",\n"),
        None => String::new(),
    };
    let all = format!(
        r#"(
    # Proves to the application that a request came this way. Replaces whatever the client sent.
    "X-Secure-Download-Proof" => {secret},
    # Said once, and only by this proxy.
{prefix}{others}    # A client must not speak the proxy's language to the application.
{spoofable}"#,
        secret = quoted(config.secret.expose()),
        others = removed(&others),
        spoofable = removed(&SPOOFABLE),
    );
    let none = "    # lighttpd adds the peer's address.\n    \"X-Forwarded-For\" => \"\",\n";
    if config.hops.is_empty() {
        return format!("setenv.set-request-header = {all}{none})\n");
    }
    format!(
        r#"var.secure_download_{id} = {all})
setenv.set-request-header = var.secure_download_{id} + (
{none})
# Only the hop can make it https here, as long as this socket has no certificate of its own. lighttpd adds the hop's address
# behind the visitor's.
$HTTP["scheme"] == "https" {{
    setenv.set-request-header = var.secure_download_{id}
}}
"#,
        id = config.id(),
    )
}

fn site(config: &ProxyConfig<'_>) -> String {
    let app = match (config.app.socket(), config.app.host()) {
        (Some(path), _) => format!("    \"socket\" => \"{path}\",\n"),
        (None, Some((host, port))) => format!("    \"host\" => \"{host}\",\n    \"port\" => {port},\n"),
        (None, None) => String::new(),
    };
    let note = match config.app.name() {
        Some(_) => {
            "# lighttpd looks the application's name up when it starts: restart it after a change of the address.\n"
        }
        None => "",
    };
    let folders: Vec<_> = config.roots().iter().map(|root| quoted(root.folder())).collect();
    let compressors: String = config.compressors.iter().map(|one| format!("{}\n", one.off())).collect();
    format!(
        r#"
{log}
# A symbolic link leads nowhere.
server.follow-symlink = "disable"

# Uploads and answers pass as they come. The application has its own limit for uploads.
server.max-request-size = 0
server.stream-request-body = 2
server.stream-response-body = 2
# A client that takes nothing is cut.
server.max-write-idle = 60
{hops}{path}
{headers}# Never shown, whatever the application does.
setenv.set-response-header = (
    "X-Accel-Redirect" => "",
    "X-Accel-Limit-Rate" => "",
    "X-Sendfile" => "",
)

# Do not compress the files (mod_deflate): it would break ranges and entity tags. `--compressor deflate` turns it off here.
{compressors}# WebSockets of the application pass. No other protocol does: it would be a tunnel past what stands here.
$REQUEST_HEADER["upgrade"] =~ "^(?i)websocket$" {{
    proxy.header = ( "upgrade" => "enable" )
}}
{note}# lighttpd sends the file under any status: the application's guard takes the header away from all but 200.
proxy.server = ( "" => ((
{app}    "x-sendfile" => "enable",
    # Only files of these folders are sent. Without this line, any file of the machine.
    "x-sendfile-docroot" => ( {folders} ),
)))
"#,
        log = log(config),
        hops = hops(config),
        path = path(config),
        headers = headers(config),
        folders = folders.join(", "),
    )
}
