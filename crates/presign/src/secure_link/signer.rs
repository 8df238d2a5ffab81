//! [`SecureLink`]: signed links that nginx checks.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::Method;
use http::header::CONTENT_DISPOSITION;
use md5::{Digest as _, Md5};
use secure_download_core::{Disposition, Grant, SignError, SignedUrl, UrlSigner, content_disposition};

use super::SecureLinkSecret;
use super::location::SENT;
use crate::endpoint::{self, Endpoint};
use crate::percent;
use crate::timestamp::Timestamp;

/// Signs links to files of one folder that nginx sends by itself, with `secure_link`: the application is not asked again.
///
/// nginx checks an **MD5** over expiry, path and secret. Nothing else is signed, so
///
/// - nginx sends every file alike: as an attachment of type `application/octet-stream`, with `nosniff`, a sandbox and
///   `no-store`. A grant that asks for anything else is declined: inline, a type, a name other than the key's own last
///   part, a time in caches, a version, a volume, pages that may frame it.
/// - a link works for every client that has it, until its expiry, and **cannot be revoked** before.
/// - keys must be made by the application. MD5 has collisions: a user who chooses whole keys could make two that share a
///   signature.
///
/// [`SecureLink::nginx_location`] renders nginx's side. A link is good for GET and HEAD. What is declined goes to the next
/// strategy of a [`FirstOf`](secure_download_core::FirstOf).
///
/// ```
/// use secure_download_presign::{Presign, SecureLink, SecureLinkSecret};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let from_environment = "0123456789abcdef".repeat(4);
/// let secret = SecureLinkSecret::new(from_environment)?;
/// let signer = SecureLink::new("https://files.example", "/dl", secret)?;
/// let location = signer.nginx_location("/srv/media")?; // into nginx's `server` of files.example
/// assert!(location.contains("location ^~ /dl/ {"));
/// let strategy = Presign::new(signer);
/// # let _ = strategy;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SecureLink {
    /// Scheme, host and port.
    origin: String,
    /// With a slash at both ends.
    path: String,
    secret: SecureLinkSecret,
}

impl SecureLink {
    /// Signs links below `path`, such as `/dl`, of the site at `origin`: scheme and host as clients use them.
    ///
    /// # Errors
    /// [`SecureLinkError::Origin`] if `origin` is more or less than scheme and host, [`SecureLinkError::Path`] if `path` is not a
    /// path of plain names (`A-Za-z0-9-._~`).
    pub fn new(origin: &str, path: &str, secret: SecureLinkSecret) -> Result<Self, SecureLinkError> {
        let endpoint = endpoint::parse(origin).filter(|endpoint| endpoint.path.is_empty());
        let Endpoint { scheme, authority, .. } = endpoint.ok_or(SecureLinkError::Origin)?;
        let names = path.strip_suffix('/').unwrap_or(path).strip_prefix('/').ok_or(SecureLinkError::Path)?;
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let plain = |name: &str| !matches!(name, "" | "." | "..") && name.bytes().all(byte);
        if !names.split('/').all(plain) {
            return Err(SecureLinkError::Path);
        }
        Ok(Self { origin: format!("{scheme}://{authority}"), path: format!("/{names}/"), secret })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn secret(&self) -> &SecureLinkSecret {
        &self.secret
    }
}

/// The last second of a link, and its signature over that and the path as nginx decodes it.
fn signature(path: &str, expires: u64, secret: &SecureLinkSecret) -> String {
    let mut hash = Md5::new();
    hash.update(expires.to_string());
    hash.update(path);
    hash.update(" ");
    hash.update(secret.expose());
    Base64UrlUnpadded::encode_string(&hash.finalize())
}

/// Whether the location's fixed headers are those that the client must see.
fn carried(grant: &Grant) -> Result<(), &'static str> {
    let download = grant.download();
    if download.volume_name().is_some() || download.version_id().is_some() {
        return Err("a link names neither a volume nor a version");
    }
    // Clients name the file after the link: only a name that needs no cleaning will do.
    let name = download.key().segments().last().unwrap_or_default();
    let named = content_disposition(Disposition::Attachment, name);
    let safe = named.as_bytes() == format!("attachment; filename=\"{name}\"").as_bytes();
    let unnamed = content_disposition(Disposition::Attachment, "");
    for (header, value) in grant.plan().headers() {
        let right = if *header == CONTENT_DISPOSITION {
            safe && (*value == named || download.raw_filename().is_none() && *value == unnamed)
        } else {
            SENT.iter().any(|(name, sent)| header == name && value == sent)
        };
        if !right {
            return Err("a link carries no header: files are attachments of no type, named after their key");
        }
    }
    Ok(())
}

#[async_trait]
impl UrlSigner for SecureLink {
    fn name(&self) -> &'static str {
        "secure-link"
    }

    async fn sign(
        &self,
        grant: &Grant,
        _: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        carried(grant).map_err(SignError::Inexpressible)?;
        let Some(seconds) = lifetime.as_secs().checked_sub(1) else {
            return Err(SignError::Failed("the URL would end within a second".into()));
        };
        // nginx takes a link until the end of the second that it names.
        let last = Timestamp::of_signature(now)?.plus(seconds);
        let key = grant.download().key().as_str();
        let md5 = signature(&format!("{}{key}", self.path), last.seconds(), &self.secret);
        let mut url = format!("{}{}", self.origin, self.path);
        percent::push_path(&mut url, key);
        url.push_str(&format!("?md5={md5}&expires={}", last.seconds()));
        Ok(SignedUrl::new(url, last.plus(1).system_time()))
    }
}

/// Why links cannot be signed, or nginx's side not rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecureLinkError {
    /// The origin is not scheme and host.
    #[error("the origin is `https://HOST` and nothing else")]
    Origin,
    /// The path cannot be a location of nginx.
    #[error("the path is not one of plain names, such as /dl: use A-Za-z0-9-._~ only")]
    Path,
    /// The folder cannot be quoted for nginx.
    #[error(
        "the folder is not an absolute path that nginx reads as it is: use no quotes, `$`, `\\`, `;`, `#` and braces"
    )]
    Folder,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with nginx 1.22.1: `secure_link_md5 "$secure_link_expires$uri s3cret"`.
    #[test]
    fn nginx_makes_the_same_signature() {
        let vectors = include_str!("../../tests/vectors/nginx_secure_link.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).expect("JSON");
        // Shorter than any secret that may be used.
        let secret = SecureLinkSecret::of_vectors("s3cret");
        let vectors = vectors.as_array().expect("a list");
        assert_eq!(vectors.len(), 3);
        for vector in vectors {
            let path = vector["uri_decoded"].as_str().expect("a path");
            let expires = vector["expires"].as_u64().expect("seconds");
            assert_eq!(
                signature(path, expires, &secret),
                vector["md5"].as_str().expect("a signature"),
                "{path}"
            );
        }
    }

    #[test]
    fn odd_origins_paths_and_folders_are_refused() {
        let secret = || SecureLinkSecret::new("0123456789abcdef".repeat(4)).expect("a secret");
        for origin in ["", "files.example", "https://a/b", "https://a?b", "ftp://a", "https://u@a"] {
            assert_eq!(
                SecureLink::new(origin, "/dl", secret()).err(),
                Some(SecureLinkError::Origin),
                "{origin}"
            );
        }
        for path in ["", "/", "dl", "/a b", "/a;b", "/a//b", "/..", "/a/./b", "/a$b", "/é"] {
            let signer = SecureLink::new("https://a", path, secret());
            assert_eq!(signer.err(), Some(SecureLinkError::Path), "{path}");
        }
        let signer = SecureLink::new("https://a", "/dl/", secret()).expect("a signer");
        for folder in
            ["", "/", "media", "/a/../b", "/a//b", "/a\"b", "/a$b", "/a;b", "/a\nb", "/a\\b", "/a{b"]
        {
            assert_eq!(signer.nginx_location(folder).err(), Some(SecureLinkError::Folder), "{folder}");
        }
        assert!(signer.nginx_location("/srv/my média").is_ok());
    }
}
