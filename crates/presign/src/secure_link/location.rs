//! The location of nginx that checks links and sends the files.

use std::fmt::Write as _;

use super::{SecureLink, SecureLinkError};

/// Everything that the location sends, whatever the file. Each header of a plan must be among it, or nothing is signed.
pub(super) const SENT: [(&str, &str); 8] = [
    ("content-type", "application/octet-stream"),
    ("cache-control", "private, no-store"),
    ("cdn-cache-control", "no-store"),
    (
        "content-security-policy",
        "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    ),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("content-disposition", "attachment"),
];

impl SecureLink {
    /// The location of nginx for this signer's links to the files of `folder`, an absolute path: to be put into the `server` of
    /// the site that the signer was made for. nginx needs `ngx_http_secure_link_module`, which Debian's has.
    ///
    /// The text **holds the secret**: keep it where only the server's administrator can read it.
    ///
    /// # Errors
    /// [`SecureLinkError::Folder`] if nginx would read the folder's name as something else.
    pub fn nginx_location(&self, folder: &str) -> Result<String, SecureLinkError> {
        let plain = |c: char| !c.is_control() && !"\\$\"'{};`#".contains(c);
        let path = folder
            .strip_suffix('/')
            .unwrap_or(folder)
            .strip_prefix('/')
            .filter(|path| path.chars().all(plain));
        let path = path.filter(|path| path.split('/').all(|name| !matches!(name, "" | "." | "..")));
        let folder = path.map(|path| format!("/{path}")).ok_or(SecureLinkError::Folder)?;
        let mut text = format!(
            r#"# Private files by signed links (ngx_http_secure_link_module). Holds a secret: only the administrator may read it.
# ^~: a regular expression elsewhere must not take these addresses over. Both lines end with a slash.
location ^~ {path} {{
    alias "{folder}/";

    # The signature covers expiry and path. A link cannot be revoked before its expiry, and every client that has it may use it.
    secure_link $arg_md5,$arg_expires;
    secure_link_md5 "$secure_link_expires$uri {secret}";
    if ($secure_link = "") {{
        return 403;
    }}
    if ($secure_link = "0") {{
        return 410;
    }}
    if ($request_method !~ "^(GET|HEAD)$") {{
        return 405;
    }}

    # A folder is not a file, and a symbolic link leads nowhere.
    if (-d $request_filename) {{
        return 404;
    }}
    disable_symlinks on "from={folder}";

    # A link opens its file: it stands in no log, not with an error either.
    access_log off;
    log_not_found off;
    error_log /dev/null crit;

    # Ranges and entity tags need the file as it is.
    gzip off;
    charset off;
    if_modified_since before;

    # Every file is bytes to be saved, whatever its name says: nothing of it runs.
    types {{ }}
    default_type {octets};
"#,
            path = self.path(),
            secret = self.secret().expose(),
            octets = SENT[0].1,
        );
        for (name, value) in &SENT[1..] {
            let _ = writeln!(text, "    add_header {name} \"{value}\" always;");
        }
        text.push_str("}\n");
        Ok(text)
    }
}
