//! Faults of a store that clients are redirected to.

use super::{Fault, fault};
use crate::doctor::client::Seen;

pub(in crate::doctor) const PRIVATE: &str = "bucket not readable by everybody";

/// The file is there without a signature.
pub(in crate::doctor) fn world_readable() -> Fault {
    fault(
        "bucket-world-readable",
        "the bucket gives the file to every client that knows its key, with no signature",
        "block public access: no policy with Principal \"*\", no public ACL, no `anonymous` or `download` rule",
    )
}

pub(in crate::doctor) fn clocks_apart() -> Fault {
    fault(
        "clock-skew",
        "the clocks of application and store are apart: signed URLs end too early, or are not valid yet",
        "let both follow a time server: timedatectl set-ntp true",
    )
}

pub(in crate::doctor) fn signer_fails() -> Fault {
    fault(
        "signer-fails",
        "the application cannot sign a URL",
        "give the signer its credentials, and let them be renewed before they end",
    )
}

/// The host of a signed URL does not answer.
pub(in crate::doctor) fn store_unreachable(url: &str, error: &str) -> Fault {
    let host = url.split('/').nth(2).unwrap_or_default();
    if error.contains("certificate") {
        return fault(
            "bucket-certificate",
            format!(
                "the certificate of {host} is not valid for this name, or no authority known here has signed it"
            ),
            "--ca FILE        # if clients know the authority; otherwise a certificate that they accept",
        );
    }
    fault(
        "bucket-host",
        format!("clients do not reach {host}: its name does not resolve here, or the store does not answer"),
        "sign for the host under which clients reach the store, not for one of an inner network",
    )
}

/// The text of the first element of this name.
fn element(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.trim().to_owned())
}

/// A signed URL brought something else than the canary. `skewed` if the clocks are apart.
pub(in crate::doctor) fn signed_url_refused(seen: &Seen, skewed: bool) -> Vec<Fault> {
    let page = seen.text();
    let code = element(&page, "Code").or_else(|| seen.header("x-ms-error-code").map(str::to_owned));
    let message = element(&page, "Message").unwrap_or_default();
    let details = element(&page, "AuthenticationErrorDetail").unwrap_or_default();
    let said = format!("{message} {details}").to_ascii_lowercase();
    let secret = fault(
        "bucket-secret-key",
        "the secret key is not the one of this access key",
        "give the signer the secret key that belongs to the access key",
    );
    let host = fault(
        "bucket-host",
        "the host in the URL is not the store, or the store sees another host than was signed",
        "sign for the host and port that clients use; let proxies in front pass `Host` on",
    );
    let access = fault(
        "bucket-access-key",
        "the store does not know the access key",
        "give the signer an access key of this store that still exists",
    );
    let name = fault(
        "bucket-name",
        "there is no bucket of this name",
        "give the signer the bucket's name and account",
    );
    let region = fault(
        "bucket-region",
        "the bucket is in another region than was signed for",
        "give the signer the bucket's own region",
    );
    let canaries = fault(
        "bucket-canaries",
        "the canaries are not in the bucket",
        "secure-download doctor --write-canaries FOLDER # then copy FOLDER into the bucket",
    );
    let rights = fault(
        "bucket-rights",
        "the access key may not read this object",
        "allow s3:GetObject (or the store's word for it) on the files to this key",
    );
    let token = fault(
        "bucket-session-token",
        "the session token is wrong or expired",
        "renew temporary credentials before they end, token and keys together",
    );
    // Stores that look at the region before the key name the right one.
    let of_region =
        said.contains("region") || seen.headers.contains_key("x-amz-bucket-region") && seen.status != 403;
    let of_time = said.contains("expired")
        || said.contains("not valid yet")
        || said.contains("not yet valid")
        || said.contains("too large")
        || said.contains("not in range");
    match code.as_deref().unwrap_or_default() {
        "RequestTimeTooSkewed" | "RequestExpired" => vec![clocks_apart()],
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => vec![token],
        _ if of_time => vec![clocks_apart(), token],
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "IllegalLocationConstraintException"
        | "InvalidRegion" => {
            vec![region]
        }
        "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" | "InvalidArgument"
            if of_region =>
        {
            vec![region]
        }
        "InvalidAccessKeyId" | "NotSignedUp" => vec![access],
        "NoSuchBucket" | "ContainerNotFound" | "InvalidBucketName" => vec![name],
        "NoSuchKey" | "BlobNotFound" => vec![canaries, name],
        // A store that checks the signature with its own region and host says no more than this.
        "SignatureDoesNotMatch" | "AuthenticationFailed" => vec![secret, host, region],
        "AccessDenied" if skewed => vec![clocks_apart(), rights],
        "AccessDenied" | "AllAccessDisabled" | "AuthorizationFailure" | "AuthorizationPermissionMismatch" => {
            vec![rights, canaries, access]
        }
        _ if seen.status == 200 => vec![host, canaries],
        _ if skewed => vec![clocks_apart(), secret],
        _ if (300..400).contains(&seen.status) => vec![region, host],
        _ if seen.status == 404 => vec![host, canaries, name],
        _ => vec![host, secret, access],
    }
}

/// An answer as long as a redirect did not arrive; the server that answered may name itself.
pub(in crate::doctor) fn long_redirects(seen: &Seen) -> Vec<Fault> {
    let server = seen.header("server").unwrap_or_default().to_ascii_lowercase();
    let nginx = server.starts_with("nginx") || server.starts_with("openresty") || seen.is_page_of_nginx();
    let what = "a redirect with a session token or a long name is longer than the proxy's buffer for headers";
    if nginx {
        return vec![fault("nginx-buffer", what, "proxy_buffer_size 16k;\nproxy_buffers 8 16k;")];
    }
    vec![fault(
        "long-headers",
        what,
        "let 16 KiB of response headers through        # nginx: proxy_buffer_size, HAProxy: tune.bufsize",
    )]
}
