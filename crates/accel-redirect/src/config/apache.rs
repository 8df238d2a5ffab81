//! Apache httpd 2.4 with `mod_xsendfile`.

use std::fmt::Write as _;

use super::visitor::{HOP_NOTE, LAST_ADDRESS, LAST_SCHEMES, OTHER_NAMES};
use super::{ProxyConfig, SPOOFABLE, Standalone, indented, quoted};

/// Where Debian keeps modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// Ports on which the configuration of every distribution listens already. Apache refuses a second `Listen`.
const LISTENED: [u16; 2] = [80, 443];

/// Everything in `Connection` but the three words that are about the connection.
const NAMED_HEADERS: &str = r"(?i)(?<![^,\s])(?!(?:close|keep-alive|upgrade)(?![^,\s]))[^,\s]+";

pub(super) fn render(config: &ProxyConfig<'_>) -> String {
    let mut text = config.preamble();
    match &config.standalone {
        None => text.push_str("# Modules: a2enmod headers proxy proxy_http setenvif xsendfile\n"),
        Some(standalone) => text.push_str(&frame(standalone)),
    }
    let listen = config.listen.text();
    let host = match config.listen.is_any() {
        true => format!("*:{}", config.listen.port),
        false => listen.clone(),
    };
    let names = match config.names.split_first() {
        None => "# Add here: ServerName, certificates.".to_owned(),
        Some((first, others)) => {
            let aliases: String = others.iter().map(|name| format!("    ServerAlias {name}\n")).collect();
            format!("ServerName {first}\n{aliases}    # Add here: certificates.")
        }
    };
    let mut spoofable = String::new();
    for name in SPOOFABLE {
        let _ = writeln!(spoofable, "    RequestHeader unset {name}");
    }
    let mut folders = String::new();
    for root in config.roots() {
        let _ = writeln!(folders, "    XSendFilePath {}", quoted(root.folder()));
    }
    let _ = write!(
        text,
        r#"
{listening}
<VirtualHost {host}>
    {names}

{log}
    # Without the referring page, which may be that of a link.
    ErrorLogFormat "[%t] [%-m:%l] [pid %P] %E: [client\\ %a] %M"

    ProxyRequests Off
    ProxyPreserveHost On
    ProxyAddHeaders Off
    AllowEncodedSlashes NoDecode
{application}
    # Apache would answer with the request as it goes on to the application: with the proof.
    TraceEnable Off

    # The application has its own limit for uploads.
    LimitRequestBody 0
    # A head that does not come is cut. A body may be slow.
    <IfModule mod_reqtimeout.c>
        RequestReadTimeout header=20-40,MinRate=500 body=0
    </IfModule>

    # Names in it would be taken away from the request, whatever stands below: the proof, the visitor's address.
    RequestHeader edit* Connection "{NAMED_HEADERS}" ""
    # WebSockets of the application pass. Any other protocol would be a tunnel past what stands below.
    RequestHeader unset Upgrade "expr=! %{{HTTP:Upgrade}} =~ /^websocket$/i"

{visitor}
    # Proves to the application that a request came this way. Replaces whatever the client sent.
    RequestHeader set X-Secure-Download-Proof {secret}

    # A client must not speak the proxy's language to the application.
{spoofable}
    # mod_xsendfile acts on 200 only; with any other status the header would be shown.
    Header unset X-Sendfile "expr=%{{REQUEST_STATUS}} != 200"
    Header always unset X-Sendfile
    Header unset X-Accel-Redirect
    Header unset X-Accel-Limit-Rate

    # Undoes the escaping exactly once: mod_xsendfile 0.12 takes the path as it is.
    Header set X-Sendfile "expr=%{{unescape:%{{resp:X-Sendfile}}}}" "expr=-n %{{resp:X-Sendfile}}"
    # Beneath what is not a regular file there is nothing: 404. Opening a FIFO would block a worker.
    Header set X-Sendfile "expr=%{{resp:X-Sendfile}}/none" "expr=-n %{{resp:X-Sendfile}} && ! -f %{{resp:X-Sendfile}}"

    # mod_xsendfile would give every file the entity tag "0". The application's own is kept.
    FileETag None

    # Compression (mod_deflate, mod_brotli) would break ranges and entity tags.
    SetEnvIf Request_URI "^" no-gzip=1 no-brotli=1

    # Only files of these folders are sent. Apache follows symbolic links in them and mod_xsendfile has no switch for
    # it: only the application may write there.
    XSendFile On
{folders}</VirtualHost>
"#,
        listening = listening(config, &listen),
        log = log(config),
        application = application(config),
        visitor = visitor(config),
        secret = quoted(config.secret.expose()),
    );
    text
}

/// `Listen`, once for all rendered sites.
fn listening(config: &ProxyConfig<'_>, listen: &str) -> String {
    if config.standalone.is_none() && config.listen.is_any() && LISTENED.contains(&config.listen.port) {
        return format!("# In ports.conf (Debian) or httpd.conf already: Listen {listen}");
    }
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let once: String = listen.chars().map(plain).collect();
    format!(
        "# Several rendered sites may have this line.\n<IfDefine !SECURE_DOWNLOAD_LISTEN_{once}>\n    \
         Define SECURE_DOWNLOAD_LISTEN_{once}\n    Listen {listen}\n</IfDefine>"
    )
}

fn log(config: &ProxyConfig<'_>) -> String {
    match config.log_file() {
        None => "    # The server's own log would keep tokens of links. `--access-log FILE` renders one that does not.\n    \
                 CustomLog /dev/null -\n"
            .to_owned(),
        Some(file) => format!(
            r#"    # Tokens of links are long segments of paths, signatures stand in queries: neither is logged.
    SetEnvIf Request_URI "^((?:/[^/]{{0,39}}(?![^/]))*)" secure_download_shown=$1
    SetEnvIf Request_URI "/[^/]{{40}}" secure_download_cut=/[cut]
    CustomLog {} "%{{X-Forwarded-For}}i [%{{%Y-%m-%dT%H:%M:%S%z}}t] \"%m %{{secure_download_shown}}e%{{secure_download_cut}}e %H\" %>s %B"
"#,
            quoted(&file)
        ),
    }
}

/// What goes to the application.
fn application(config: &ProxyConfig<'_>) -> String {
    let mut options = String::from("nocanon upgrade=websocket retry=0");
    let target = match config.app.socket() {
        Some(path) => format!("unix:{path}|http://localhost/"),
        None => format!("http://{}/", config.app.authority()),
    };
    let mut note = "    # WebSockets of the application pass. A restart of the application closes nothing for a minute (retry).\n".to_owned();
    if config.app.name().is_some() {
        options.push_str(" disablereuse=on");
        note.push_str("    # The name is looked up for each request (disablereuse).\n");
    }
    match &config.path {
        None => format!("{note}    ProxyPass / \"{target}\" {options}\n"),
        Some(path) => format!(
            "    # Else Apache names a scheme, of which it knows its own only (2.4.58).\n    \
             <IfDirective RedirectRelative>\n        RedirectRelative On\n    </IfDirective>\n    \
             RedirectMatch 308 \"^{pattern}$\" \"{path}/\"\n{note}    \
             ProxyPass {path}/ \"{target}\" {options}\n    \
             # The application knows nothing of what lies elsewhere.\n    \
             RedirectMatch 404 \"^(?!{pattern}(?:/|$))\"\n",
            pattern = path.replace('.', "[.]"),
        ),
    }
}

/// What the application is told about the visitor.
fn visitor(config: &ProxyConfig<'_>) -> String {
    let mut text = String::new();
    let own = [
        ("For", "%{REMOTE_ADDR}", &[(LAST_ADDRESS, "$1")][..]),
        ("Proto", "%{REQUEST_SCHEME}", &LAST_SCHEMES.map(|(scheme, expression)| (expression, scheme))),
    ];
    if config.hops.is_empty() {
        text.push_str("    # Said once, and only by this proxy.\n");
        for (name, value, _) in own {
            let _ = writeln!(text, "    RequestHeader set X-Forwarded-{name} \"expr={value}\"");
        }
    } else {
        let hops: Vec<_> =
            config.hops.iter().map(|hop| format!("%{{CONN_REMOTE_ADDR}} -ipmatch '{hop}'")).collect();
        let _ = writeln!(
            text,
            "{}    SetEnvIfExpr \"{}\" secure_download_hop",
            indented(HOP_NOTE, "    "),
            hops.join(" || ")
        );
        for (name, value, last) in own {
            let header = format!("X-Forwarded-{name}");
            let known: Vec<_> = last
                .iter()
                .map(|(expression, _)| format!("%{{HTTP:{header}}} =~ m#(?i){expression}#"))
                .collect();
            let _ = write!(
                text,
                "    RequestHeader unset {header} env=!secure_download_hop\n    \
                 RequestHeader unset {header} \"expr=! ({})\"\n",
                known.join(" || ")
            );
            for (expression, said) in last {
                let _ = writeln!(text, "    RequestHeader edit {header} \"(?i){expression}\" \"{said}\"");
            }
            let _ = writeln!(text, "    RequestHeader setifempty {header} \"expr={value}\"");
        }
    }
    text.push_str("    RequestHeader set X-Forwarded-Host \"expr=%{HTTP_HOST}\"\n");
    if let Some(path) = &config.path {
        let _ = writeln!(text, "    RequestHeader set X-Forwarded-Prefix {path}");
    }
    for name in OTHER_NAMES.into_iter().filter(|&name| !config.says(name)) {
        let _ = writeln!(text, "    RequestHeader unset {name}");
    }
    text
}

fn frame(standalone: &Standalone) -> String {
    let file = |name: &str| quoted(&format!("{}/{name}", standalone.folder));
    let mut text = format!(
        r#"ServerRoot {root}
ServerName localhost
PidFile {pid}
Mutex {mutex} default
ErrorLog {errors}
# At lower levels Apache writes referring pages into it, and tokens of links with them.
LogLevel crit
ServerTokens Prod
TraceEnable Off
"#,
        root = quoted(&standalone.folder),
        pid = file("apache.pid"),
        mutex = quoted(&format!("file:{}", standalone.folder)),
        errors = file("error.log"),
    );
    if let Some(user) = &standalone.user {
        let _ = write!(text, "User {user}\nGroup {user}\n");
    }
    for module in [
        "mpm_event",
        "authz_core",
        "headers",
        "proxy",
        "proxy_http",
        "reqtimeout",
        "setenvif",
        "alias",
        "xsendfile",
    ] {
        let _ = writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so");
    }
    text
}
