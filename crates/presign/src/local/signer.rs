//! [`LocalSigner`]: signs and verifies URLs of the application's own route.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::Method;
use secure_download_core::{
    Authorizer, BoxError, Catalog, Decision, Denial, Grant, SignError, SignedUrl, UrlSigner,
};

use super::key::MAC_LENGTH;
use super::{LocalClaims, LocalKey};
use crate::timestamp::Timestamp;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8192;

/// Signs URLs of a route of the application itself, so that presigned delivery runs unchanged without any store.
///
/// The route has a gate of its own, of which the signer is both catalog and authorizer: the token in the URL is the id,
/// its verified claims are the record. So the URL works without a session, as a store's does, for GET and HEAD, until it
/// expires. Give both gates the same content policy: what the second does not allow inline becomes an attachment.
///
/// | token | answer |
/// |---|---|
/// | changed, cut, signed with another key or for another base | 404, as any unknown id |
/// | expired | 403 |
///
/// ```
/// use secure_download_core::{Decision, Download, Gate, signed_in};
/// use secure_download_presign::{LocalKey, LocalSigner, Presign};
/// # use secure_download_core::DeliveryStrategy;
///
/// # struct User { admin: bool }
/// # fn app(stream: impl DeliveryStrategy + 'static, secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// # let catalog = std::collections::HashMap::<String, Download>::new();
/// let signer = LocalSigner::new("/blobs/", LocalKey::new(secret)?);
///
/// // Behind `/files/{id}`: who may download what.
/// let files = Gate::builder(catalog)
///     .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.admin)))
///     .strategy(Presign::new(signer.clone()))
///     .build();
/// // Behind `/blobs/{token}`: what stands in for the store.
/// let blobs: Gate<(), _> = Gate::builder(signer.clone()).authorizer(signer).strategy(stream).build();
/// # let _ = (files, blobs);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LocalSigner {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    base: String,
    /// Bound to the base, as are those below.
    key: LocalKey,
    /// Verify, but do not sign any more.
    retired: Vec<LocalKey>,
}

impl LocalSigner {
    /// Signs URLs that start with `base`, such as `/blobs/` or `https://files.example/blobs/`. A missing `/` at its
    /// end is added.
    ///
    /// The base is part of every signature: a token is refused by a signer of another base, even of one with the same
    /// key. Processes that share tokens name the same base, letter by letter.
    #[must_use]
    pub fn new(base: impl Into<String>, key: LocalKey) -> Self {
        Self::with_retired(base, key, [])
    }

    /// As [`LocalSigner::new`], and still accepts what earlier keys signed. To rotate: sign with the new key, keep the old
    /// one here until its last URL has expired.
    #[must_use]
    pub fn with_retired(
        base: impl Into<String>,
        key: LocalKey,
        retired: impl IntoIterator<Item = LocalKey>,
    ) -> Self {
        let mut base = base.into();
        if !base.ends_with('/') {
            base.push('/');
        }
        let retired = retired.into_iter().map(|key| key.of_base(&base)).collect();
        Self { shared: Arc::new(Shared { key: key.of_base(&base), retired, base }) }
    }

    /// What a token says, if one of the keys signed it. Whether it has expired is for the caller to see.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<LocalClaims> {
        if token.len() > LONGEST {
            return None;
        }
        let bytes = Base64UrlUnpadded::decode_vec(token).ok()?;
        let (claims, signature) = bytes.split_last_chunk::<MAC_LENGTH>()?;
        let mut keys = std::iter::once(&self.shared.key).chain(&self.shared.retired);
        keys.any(|key| key.verifies(claims, signature)).then(|| LocalClaims::from_bytes(claims))?
    }
}

#[async_trait]
impl UrlSigner for LocalSigner {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn sign(
        &self,
        grant: &Grant,
        _: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let expires_at = Timestamp::of_signature(now)?.plus(lifetime.as_secs());
        let mut bytes = LocalClaims::of(grant, expires_at)?.to_bytes()?;
        bytes.extend_from_slice(&self.shared.key.sign(&bytes));
        let token = Base64UrlUnpadded::encode_string(&bytes);
        if token.len() > LONGEST {
            return Err(SignError::Inexpressible("the URL would be too long"));
        }
        Ok(SignedUrl::new(format!("{}{token}", self.shared.base), expires_at.system_time()))
    }
}

#[async_trait]
impl Catalog for LocalSigner {
    type Record = LocalClaims;

    async fn find(&self, token: &str) -> Result<Option<LocalClaims>, BoxError> {
        Ok(self.verify(token))
    }
}

/// Whoever holds an unexpired URL may download what it names.
#[async_trait]
impl<S: Sync + ?Sized> Authorizer<S, LocalClaims> for LocalSigner {
    async fn authorize(&self, _: &S, claims: &LocalClaims) -> Result<Decision, BoxError> {
        let alive = SystemTime::now() < claims.expires_at();
        Ok(if alive { Decision::Allow } else { Decision::Deny(Denial::Forbidden) })
    }
}
