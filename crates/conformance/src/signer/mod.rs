//! The laws of a [`UrlSigner`].
//!
//! | law | |
//! |---|---|
//! | what the client must see stands in the URL, or nothing is signed | [`Laws::carries`] for signers whose URLs are sealed |
//! | no name adds a parameter | |
//! | a URL ends no later than asked | read as S3, GCS, Azure and CloudFront do; what a URL says in another way is not seen |
//! | a key names its own object, on the one host, or nothing is signed | |
//! | an unknown volume is not signed | |
//! | a version stands in the URL, or nothing is signed | |
//! | the signature covers what was granted | [`Laws::methods_apart`] for stores that tell GET from HEAD |
//! | no secret shows | given [`Laws::secret`] |
//!
//! That nothing can be signed without a grant needs no law: it does not compile. That the store itself refuses what was
//! not signed, and so that a signature is more than a hash that anybody could make, is for a test against the store.

mod ends;
mod laws;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, Method};
use secure_download_core::{Download, FileKey, Grant, SignError, SignedUrl, UrlSigner};

pub use self::url::{Url, UrlError};
use crate::Broken;
use crate::law::Docket;
use crate::site;

type Carries = dyn Fn(&Url, &HeaderName, &str) -> bool + Send + Sync;

/// The laws of one signer, to be run with [`Laws::check`].
///
/// ```
/// use secure_download_conformance::signer::Laws;
/// use secure_download_presign::{Credentials, S3Bucket, S3Signer};
///
/// # futures::executor::block_on(async {
/// let credentials = Credentials::new("AKIDEXAMPLE", "hush-hush")?;
/// let signer = S3Signer::new(S3Bucket::aws("eu-central-1", "scans")?, credentials);
/// Laws::of(signer).secret("hush-hush").check().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use = "nothing is tried before `check`"]
pub struct Laws {
    signer: Arc<dyn UrlSigner>,
    now: SystemTime,
    carries: Box<Carries>,
    sealed: bool,
    plain: Option<Download>,
    methods_apart: bool,
    declines: Box<dyn Fn(&FileKey) -> bool + Send + Sync>,
    stored: Vec<HeaderName>,
    secrets: Vec<String>,
    printed: Vec<String>,
}

impl Laws {
    /// Of this signer.
    pub fn of(signer: impl UrlSigner + 'static) -> Self {
        Self {
            signer: Arc::new(signer),
            now: UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            carries: Box::new(|url, _, value| url.query().iter().any(|(_, found)| found == value)),
            sealed: false,
            plain: None,
            methods_apart: false,
            declines: Box::new(|_| false),
            stored: Vec::new(),
            secrets: Vec::new(),
            printed: Vec::new(),
        }
    }

    /// The time at which URLs are signed; one in the year 2027 if none is named. A signer that takes no date needs the
    /// time as it is.
    pub fn at(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    /// How to see that a URL makes the store send a header with this value, for signers whose URLs are sealed and can
    /// only be opened by the store: neither key nor headers are then looked for in the URL itself.
    ///
    /// Without it, the value must be that of a parameter of the query.
    pub fn carries(
        mut self,
        carries: impl Fn(&Url, &HeaderName, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.carries = Box::new(carries);
        self.sealed = true;
        self
    }

    /// A store whose answers always have the same headers, whatever the URL says: `sends` says whether a header with this value is
    /// among them. `plain` is a download that its signer signs; every law starts from it. What differs from the store's
    /// headers must not be signed.
    pub fn fixed_headers(
        mut self,
        plain: Download,
        sends: impl Fn(&Url, &HeaderName, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.carries = Box::new(sends);
        self.plain = Some(plain);
        self
    }

    /// A header that no URL of this store can carry, because every object is stored with the right one.
    pub fn stored(mut self, name: HeaderName) -> Self {
        self.stored.push(name);
        self
    }

    /// The store tells a URL for GET from one for HEAD.
    pub fn methods_apart(mut self) -> Self {
        self.methods_apart = true;
        self
    }

    /// Keys that must not be signed, because the store cannot hold them or somebody on the way would change them.
    pub fn declines(mut self, declines: impl Fn(&FileKey) -> bool + Send + Sync + 'static) -> Self {
        self.declines = Box::new(declines);
        self
    }

    /// A text that nobody may see: the key that signs.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// What the signer prints of itself, such as `format!("{signer:?}")`, to be searched for the secrets.
    pub fn printed(mut self, text: impl Into<String>) -> Self {
        self.printed.push(text.into());
        self
    }

    /// Tries every law.
    ///
    /// # Panics
    /// If laws are broken, with the name of each.
    pub async fn check(self) {
        let name = self.signer.name();
        if let Err(broken) = self.verify().await {
            panic!("the signer `{name}` breaks laws\n{broken}");
        }
    }

    /// Tries every law, with what is broken as a value.
    ///
    /// # Errors
    /// The laws that are broken.
    pub async fn verify(self) -> Result<(), Broken> {
        let mut docket = Docket::default();
        docket.note(
            "what the client must see stands in the URL, or nothing is signed",
            laws::carried(&self).await,
        );
        docket.note("no name adds a parameter", laws::parameters(&self).await);
        docket.note("a URL ends no later than asked", laws::expiry(&self).await);
        docket.note(
            "a key names its own object, on the one host, or nothing is signed",
            laws::keys(&self).await,
        );
        docket.note("an unknown volume is not signed", laws::volumes(&self).await);
        docket.note("a version stands in the URL, or nothing is signed", laws::versions(&self).await);
        docket.note("the signature covers what was granted", laws::covered(&self).await);
        docket.note("no secret shows", laws::secrets(&self).await);
        docket.close()
    }

    async fn sign(&self, download: &Download, method: &Method) -> Result<SignedUrl, SignError> {
        self.sign_for(download, method, Duration::from_secs(60)).await
    }

    async fn sign_for(
        &self,
        download: &Download,
        method: &Method,
        lifetime: Duration,
    ) -> Result<SignedUrl, SignError> {
        self.signer.sign(&grant(download).await, method, lifetime, self.now).await
    }
}

/// A grant for `download`, from a gate that grants everything: for a test of one's own that signs.
///
/// # Panics
/// Never: the gate grants everything.
pub async fn grant(download: &Download) -> Grant {
    site::grant(download).await.unwrap_or_else(|| unreachable!("the gate grants everything"))
}

impl fmt::Debug for Laws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Laws").field("signer", &self.signer.name()).finish_non_exhaustive()
    }
}
