//! Apache httpd 2.4 with `mod_xsendfile`.

use std::fmt::Write as _;

use super::{ProxyConfig, SPOOFABLE, Standalone, quoted};

/// Where Debian keeps modules.
const MODULES: &str = "/usr/lib/apache2/modules";

pub(super) fn render(config: &ProxyConfig<'_>) -> String {
    let mut text = config.preamble();
    match &config.standalone {
        None => text.push_str("# Modules: a2enmod headers proxy proxy_http xsendfile\n"),
        Some(standalone) => text.push_str(&frame(standalone)),
    }
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
Listen {listen}
<VirtualHost {listen}>
    # Add here: ServerName, certificates.

    ProxyRequests Off
    ProxyPreserveHost On
    AllowEncodedSlashes NoDecode
    ProxyPass / http://{app}/ nocanon
    RequestHeader set X-Forwarded-Proto "expr=%{{REQUEST_SCHEME}}"

    # The application has its own limit for uploads.
    LimitRequestBody 0

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

    # mod_xsendfile would give every file the entity tag "0". The application's own is kept.
    FileETag None

    # Only files of these folders are sent. Apache follows symbolic links in them and mod_xsendfile has no switch for
    # it: only the application may write there.
    XSendFile On
{folders}</VirtualHost>
"#,
        listen = config.listen,
        app = config.app,
        secret = quoted(config.secret.expose()),
    );
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
LogLevel warn
ServerTokens Prod
"#,
        root = quoted(&standalone.folder),
        pid = file("apache.pid"),
        mutex = quoted(&format!("file:{}", standalone.folder)),
        errors = file("error.log"),
    );
    if let Some(user) = &standalone.user {
        let _ = write!(text, "User {user}\nGroup {user}\n");
    }
    for module in ["mpm_event", "authz_core", "headers", "proxy", "proxy_http", "xsendfile"] {
        let _ = writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so");
    }
    let _ = write!(
        text,
        "LogFormat \"%h %l %u %t \\\"%r\\\" %>s %B\" common_bytes\nCustomLog {} common_bytes\n",
        file("access.log")
    );
    text
}
