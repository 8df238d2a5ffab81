//! What the server answers. Hostile until read.

use std::time::SystemTime;

use http::StatusCode;
use secure_download_core::BoxError;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::s3::Credentials;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// Why there are no temporary credentials. The messages hold no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StsError {
    /// The endpoint is not scheme, host and port, or the region is none.
    #[error(
        "an STS endpoint is `https://HOST` with `:PORT` if need be, a region has letters, digits, `-`, `_`"
    )]
    Endpoint,
    /// The role or the session's name is malformed.
    #[error("a role is named by its ARN, a session by 2 to 64 letters, digits and `+=,.@-_`")]
    Role,
    /// The credentials that shall sign have ended, or the clock is outside the years 1970 to 9999.
    #[error("the signing credentials have ended")]
    Expired,
    /// The server said no.
    #[error("the server refused with {status}: {code}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its own code, such as `AccessDenied`; letters, digits and dots only.
        code: String,
    },
    /// The answer makes no sense.
    #[error("the server's answer holds no credentials")]
    Answer,
    /// The request was not sent.
    #[error("the server was not reached")]
    Transport(#[source] BoxError),
}

pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Credentials, StsError> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= LONGEST).ok_or(StsError::Answer)?;
    if !status.is_success() {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let code = element(text, "Code").filter(|code| code.len() <= 100 && code.chars().all(plain));
        return Err(StsError::Refused { status, code: code.unwrap_or("unknown").to_owned() });
    }
    let credentials = element(text, "Credentials").ok_or(StsError::Answer)?;
    // Access keys, secrets and tokens are base64 or like it: no entity has to be decoded.
    let value = |name| {
        let value = element(credentials, name).map(str::trim).ok_or(StsError::Answer)?;
        let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&');
        if plain && !value.contains('<') { Ok(value) } else { Err(StsError::Answer) }
    };
    let expires_at = OffsetDateTime::parse(value("Expiration")?, &Rfc3339).map_err(|_| StsError::Answer)?;
    let credentials = Credentials::new(value("AccessKeyId")?, value("SecretAccessKey")?);
    Ok(credentials
        .map_err(|_| StsError::Answer)?
        .session_token(value("SessionToken")?)
        .expires_at(SystemTime::from(expires_at)))
}

/// The content of the element `name`, if it stands exactly once. Elements of these answers have no attributes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut parts = xml.split(open.as_str());
    let (_, rest) = (parts.next(), parts.next()?);
    let (content, after) = rest.split_once(close.as_str())?;
    (parts.next().is_none() && !after.contains(close.as_str())).then_some(content)
}
