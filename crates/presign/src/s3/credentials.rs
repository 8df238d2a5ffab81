//! [`Credentials`]: who signs.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secure_download_core::BoxError;
use zeroize::Zeroizing;

use crate::renewed::Lasting;

/// An access key with its secret, and a session token if they are temporary. `Debug` shows none of them, and the
/// secrets are overwritten when dropped.
///
/// ```
/// use secure_download_presign::{Credentials, CredentialsError, S3Bucket, S3Signer};
///
/// fn signer(bucket: S3Bucket) -> Result<S3Signer, CredentialsError> {
///     Ok(S3Signer::new(bucket, Credentials::from_env()?)) // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key: String,
    secret_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    expires_at: Option<SystemTime>,
    lasting: Option<Duration>,
}

impl Credentials {
    /// Credentials that do not expire.
    ///
    /// # Errors
    /// [`CredentialsError::Malformed`] if one of them is empty, or the access key holds anything but visible ASCII.
    pub fn new(
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let (access_key, secret_key) = (access_key.into(), Zeroizing::new(secret_key.into()));
        let readable = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !readable(&access_key) || access_key.contains('/') || secret_key.is_empty() {
            return Err(CredentialsError::Malformed);
        }
        Ok(Self { access_key, secret_key, session_token: None, expires_at: None, lasting: None })
    }

    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if set, `AWS_SESSION_TOKEN`, as they are now.
    ///
    /// # Errors
    /// [`CredentialsError::Variable`] names the variable that is not set.
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let needed = |name| set(name).ok_or(CredentialsError::Variable { name });
        let credentials = Self::new(needed("AWS_ACCESS_KEY_ID")?, needed("AWS_SECRET_ACCESS_KEY")?)?;
        Ok(match set("AWS_SESSION_TOKEN") {
            Some(token) => credentials.session_token(token),
            None => credentials,
        })
    }

    /// The token that comes with temporary credentials. It is part of every signature.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(Zeroizing::new(token.into()));
        self
    }

    /// When temporary credentials end. No URL is signed to live longer.
    #[must_use]
    pub fn expires_at(mut self, time: SystemTime) -> Self {
        self.expires_at = Some(time);
        self
    }

    /// They end no sooner than `time` from whenever they are asked for; more is not known.
    #[cfg(feature = "aws-credentials")]
    pub(crate) fn lasting_at_least(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }

    /// The access key id. It names the credentials and is part of every signed URL.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret, to hand it to a client that shall sign for itself. Keep it out of logs.
    #[must_use]
    pub fn expose_secret_key(&self) -> &str {
        &self.secret_key
    }

    /// The session token, if there is one. Keep it out of logs.
    #[must_use]
    pub fn expose_session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| token.as_str())
    }

    /// When they end, if they do.
    #[must_use]
    pub fn expiry(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

impl Lasting for Credentials {
    fn left(&self, now: SystemTime) -> Duration {
        let until = self.expires_at.map(|end| end.duration_since(now).unwrap_or_default());
        let lasting = self.lasting.unwrap_or(Duration::MAX);
        until.unwrap_or(Duration::MAX).min(lasting)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Where current credentials come from, for those that are renewed while the application runs.
///
/// Return the same `Arc` until they change: what is derived from them is kept as long.
#[async_trait]
pub trait CredentialProvider: Send + Sync {
    /// The credentials to sign with now.
    ///
    /// # Errors
    /// Any error is answered with 503, unless the credentials that were given before are still good.
    async fn credentials(&self) -> Result<Arc<Credentials>, BoxError>;
}

#[async_trait]
impl<P: CredentialProvider + ?Sized> CredentialProvider for Arc<P> {
    async fn credentials(&self) -> Result<Arc<Credentials>, BoxError> {
        (**self).credentials().await
    }
}

/// Why there are no credentials. The messages hold none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The access key or the secret is empty, or the access key is not visible ASCII.
    #[error("an access key is visible ASCII without `/`, and neither it nor the secret is empty")]
    Malformed,
    /// An environment variable is not set.
    #[error("set the environment variable {name}")]
    Variable {
        /// Its name.
        name: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials, CredentialsError> {
        Credentials::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn they_are_read_from_the_environment() {
        let (id, secret, token) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN");
        let fixed = Credentials::new("AKID", "hush").expect("complete");
        assert_eq!(from(&[(id, "AKID"), (secret, "hush")]), Ok(fixed.clone()));
        assert_eq!(from(&[(id, "AKID"), (secret, "hush"), (token, "")]), Ok(fixed.clone()));
        assert_eq!(from(&[(id, "AKID"), (secret, "hush"), (token, "t")]), Ok(fixed.session_token("t")));
        assert_eq!(from(&[(secret, "hush")]), Err(CredentialsError::Variable { name: id }));
        assert_eq!(from(&[(id, "AKID"), (secret, "")]), Err(CredentialsError::Variable { name: secret }));
        assert_eq!(from(&[(id, "AK/ID"), (secret, "hush")]), Err(CredentialsError::Malformed));
        assert_eq!(from(&[(id, "AK ID"), (secret, "hush")]), Err(CredentialsError::Malformed));
    }

    #[test]
    fn debug_shows_no_secret() {
        let credentials = Credentials::new("AKID", "hush").expect("complete").session_token("token");
        let debug = format!("{credentials:?}");
        for secret in ["AKID", "hush", "token\""] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }
}
