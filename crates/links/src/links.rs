//! [`Links`]: making, redeeming and revoking links.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};
use secure_download_core::cookie_values;

use crate::bearer::LinkBearer;
use crate::claims::{LATEST, LONGEST_TEXT, LinkClaims, LinkId, NewLink, seconds};
use crate::redeemed::{COOKIE_NAME, Redeemed, SECURE_COOKIE_NAME};
use crate::store::{Lease, LinkStore, StoreError, StoredLink};
use crate::token::{LeaseClaims, LinkSigner};

/// Leases of one link that one request may ask about.
const MOST_LEASES: usize = 16;

/// How long a redeemed link may be downloaded and resumed.
const LEASE: Duration = Duration::from_secs(3600);

/// Links of one issuer at one time.
const LINKS_PER_ISSUER: u32 = 1000;

/// How often a link is offered to a store that does not answer: each time as another one.
const MINTINGS: usize = 2;

/// How often a use is given back to a store that does not answer, and how long the first pause is. Each pause is twice as long.
const RETURNS: u32 = 6;
const RETURN_PAUSE: Duration = Duration::from_millis(500);

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Makes, redeems and revokes links. Cheap to clone.
///
/// ```
/// use secure_download_links::{LinkKey, LinkSigner, Links, MemoryLinkStore, NewLink};
/// use std::time::Duration;
///
/// # futures::executor::block_on(async {
/// # let secret = "0123456789abcdef".repeat(4);
/// // The secret: `openssl rand -hex 32` prints one. Every process that shares the links has the same.
/// let signer = LinkSigner::new("files.example", &LinkKey::new(1, secret)?);
/// let links = Links::new(signer, MemoryLinkStore::new(10_000));
///
/// let token = links.mint(NewLink::one_time("file-7", Duration::from_secs(3600)).issued_by("alice")).await?;
/// // GET /d/{token}: a page with a button. Nothing is spent.
/// assert_eq!(links.look(&token).expect("a good link").record(), "file-7");
/// // POST /d/{token}: spends a use and leases it to this client, by a cookie.
/// let redeemed = links.redeem(&token).await?;
/// assert!(redeemed.is_some());
/// // Nobody else can.
/// assert!(links.redeem(&token).await?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Links {
    signer: Arc<LinkSigner>,
    pub(crate) store: Arc<dyn LinkStore>,
    lease: Duration,
    links_per_issuer: u32,
    clock: Clock,
}

impl Links {
    /// Links signed by `signer` and counted by `store`. A lease lasts an hour, an issuer has 1,000 links at most.
    pub fn new(signer: LinkSigner, store: impl LinkStore + 'static) -> Self {
        Self {
            signer: Arc::new(signer),
            store: Arc::new(store),
            lease: LEASE,
            links_per_issuer: LINKS_PER_ISSUER,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// How long a redeemed link may be downloaded and resumed, in whole seconds. It may outlast the link.
    #[must_use]
    pub fn lease(mut self, lasts: Duration) -> Self {
        self.lease = lasts;
        self
    }

    /// How many links one issuer may have at one time. A link counts until the store forgets it: when it is revoked, or when it has
    /// expired and its leases have ended, up to [`KEPT_SECONDS`](crate::KEPT_SECONDS) later.
    /// All links without an issuer count as those of one.
    #[must_use]
    pub fn links_per_issuer(mut self, most: u32) -> Self {
        self.links_per_issuer = most;
        self
    }

    /// Takes the time from `clock`, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes a link and returns its token, the last part of its URL. Whoever has it may redeem it: keep it out of logs.
    ///
    /// # Errors
    /// [`MintError::Text`] if the record id or the issuer has more than 1024 bytes. [`MintError::Store`] if the store
    /// is full or down, or has as many links of this issuer as it may ([`StoreError::IssuerLimit`]).
    pub async fn mint(&self, link: NewLink) -> Result<String, MintError> {
        if link.record.len() > LONGEST_TEXT || link.issuer.len() > LONGEST_TEXT {
            return Err(MintError::Text);
        }
        let now = self.now();
        let mut claims = LinkClaims {
            id: random()?,
            expires_at: now.saturating_add(link.lifetime.as_secs()).min(LATEST),
            record: link.record,
            issuer: link.issuer,
            uses: link.uses,
        };
        let mut left = MINTINGS;
        loop {
            left -= 1;
            let uses = claims.uses.map(u32::from);
            let stored = StoredLink::new(claims.id, &claims.record, uses, claims.expires_at)
                .issued_by(&claims.issuer, self.links_per_issuer);
            match self.store.mint(stored, now).await {
                Ok(()) => return Ok(self.signer.sign(&claims)),
                // The store may have it all the same: a name that nobody learns opens nothing.
                Err(StoreError::Unavailable(_)) if left > 0 => claims.id = random()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What a token says, if it is one of ours and has not expired. Nothing is spent, and whether a use is left is not
    /// asked: previews and mail scanners may look as often as they like.
    #[must_use]
    pub fn look(&self, token: &str) -> Option<LinkClaims> {
        self.signer.verify(token).filter(|claims| self.now() < claims.expires_at)
    }

    /// Redeems a link for one client. Call it on POST only, never on GET: what a button sends, no preview sends.
    ///
    /// `None` if the token is not ours, expired, spent or revoked; which of them, the client must not learn.
    ///
    /// The use comes back if the client does not bring its lease back within [`CLAIM_SECONDS`](crate::CLAIM_SECONDS).
    ///
    /// # Errors
    /// [`StoreError`] if the store is down: answer 503. The use is not gone: if the store took it, it comes back.
    pub async fn redeem(&self, token: &str) -> Result<Option<Redeemed>, StoreError> {
        let Some(claims) = self.look(token) else { return Ok(None) };
        let now = self.now();
        let lasts = self.lease.as_secs();
        let lease =
            LeaseClaims { link: claims.id, lease: random()?, ends: now.saturating_add(lasts).min(LATEST) };
        let unheard = Unheard::new(self, lease.as_lease());
        let reserved = self.store.reserve(lease.as_lease(), lease.ends, now).await?;
        unheard.heard();
        Ok(reserved.then(|| Redeemed::new(claims, self.signer.lease(&lease), lasts)))
    }

    /// Who may download now: the holder of a lease of this token's link. This is the subject to give to a gate with a
    /// [`LinkAuthorizer`](crate::LinkAuthorizer).
    ///
    /// A browser may send several leases: other sites of its domain can plant cookies. The bearer holds up to 16 leases of
    /// this link, and the store decides which of them is good.
    ///
    /// `None` if the token or the cookie is not ours, the lease has ended, or a browser only fetches ahead
    /// (`Sec-Purpose: prefetch`).
    #[must_use]
    pub fn bearer(&self, token: &str, headers: &HeaderMap) -> Option<LinkBearer> {
        if fetches_ahead(headers) {
            return None;
        }
        // The link itself may have expired since it was redeemed.
        let claims = self.signer.verify(token)?;
        let now = self.now();
        let names = [SECURE_COOKIE_NAME, COOKIE_NAME].into_iter();
        let signed = names
            .flat_map(|name| cookie_values(headers, name))
            .filter_map(|value| self.signer.read_lease(value));
        let leases: Vec<_> = signed
            .filter(|lease| lease.link == claims.id && now < lease.ends)
            .map(LeaseClaims::as_lease)
            // Each is a question to the store.
            .take(MOST_LEASES)
            .collect();
        if leases.is_empty() { None } else { Some(LinkBearer { claims, leases }) }
    }

    /// Asks the store whether it answers, as a readiness probe does. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if it does not.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.look(Lease::NONE, self.now()).await.map(|_| ())
    }

    /// Ends one link and all its leases. Transfers that run go on.
    ///
    /// # Errors
    /// [`StoreError`] if the store is down: the link may still be good.
    pub async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        self.store.revoke(link).await
    }

    /// Ends all links of a record, as when it is deleted or no longer shared.
    ///
    /// # Errors
    /// [`StoreError`] if the store is down: some of the links may still be good.
    pub async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        self.store.revoke_record(record).await
    }

    /// Gives the use of a lease back, in the background. Without a runtime, or if the store stays down, it comes back
    /// [`CLAIM_SECONDS`](crate::CLAIM_SECONDS) after the store took it.
    pub(crate) fn give_back(&self, lease: Lease) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let store = Arc::clone(&self.store);
        runtime.spawn(async move {
            let mut pause = RETURN_PAUSE;
            for _ in 0..RETURNS {
                if store.release(lease).await.is_ok() {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        });
    }

    /// What signs its tokens.
    #[must_use]
    pub fn signer(&self) -> &LinkSigner {
        &self.signer
    }

    pub(crate) fn now(&self) -> u64 {
        seconds((self.clock)())
    }
}

/// A use that the store is asked to take. Until the answer is heard the store may have taken it or not: it is given back when the
/// store fails, and when the request ends meanwhile.
pub(crate) struct Unheard<'a> {
    links: &'a Links,
    lease: Option<Lease>,
}

impl<'a> Unheard<'a> {
    pub(crate) fn new(links: &'a Links, lease: Lease) -> Self {
        Self { links, lease: Some(lease) }
    }

    pub(crate) fn heard(mut self) {
        self.lease = None;
    }
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease {
            self.links.give_back(lease);
        }
    }
}

impl LeaseClaims {
    fn as_lease(self) -> Lease {
        Lease { link: self.link, lease: self.lease }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links")
            .field("signer", &self.signer)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// Whether a browser says that nobody has asked for this yet.
fn fetches_ahead(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"].into_iter().any(|name| {
        headers.get_all(HeaderName::from_static(name)).iter().any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            value.windows(8).any(|word| word == b"prefetch")
                || value.windows(9).any(|word| word == b"prerender")
                || value.windows(7).any(|word| word == b"preview")
        })
    })
}

fn random() -> Result<LinkId, StoreError> {
    LinkId::random().map_err(|error| StoreError::Unavailable(error.into()))
}

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The record id or the issuer is too long to stand in a URL.
    #[error("a record id and an issuer have at most {LONGEST_TEXT} bytes each")]
    Text,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
