//! [`LinkClaims`]: what a link says.

use std::fmt;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999, since 1970: no link and no lease lasts longer.
pub(crate) const LATEST: u64 = 253_402_300_799;

/// The longest record id and issuer, in bytes.
pub(crate) const LONGEST_TEXT: usize = 1024;

/// Names one link, and one lease of it. 128 random bits; not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId([u8; 16]);

impl LinkId {
    /// A fresh one.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// From the bytes that [`LinkId::as_bytes`] gave.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, as a store may keep them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkId({self})")
    }
}

/// What a signed token says, and nobody can change. Whoever has the token can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkClaims {
    pub(crate) id: LinkId,
    pub(crate) record: String,
    pub(crate) issuer: String,
    pub(crate) uses: Option<NonZeroU32>,
    /// Seconds since 1970.
    pub(crate) expires_at: u64,
}

impl LinkClaims {
    /// Names the link.
    #[must_use]
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// The id of the record that the link opens, as the app's catalog takes it.
    #[must_use]
    pub fn record(&self) -> &str {
        &self.record
    }

    /// Who made the link, as the app named them; empty if it did not.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How often the link may be redeemed; as often as one likes if `None`.
    #[must_use]
    pub fn uses(&self) -> Option<NonZeroU32> {
        self.uses
    }

    /// From when on the link cannot be redeemed any more.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.expires_at.min(LATEST))
    }
}

/// What a new link shall open, for whom and for how long.
///
/// ```
/// use secure_download_links::NewLink;
/// use std::time::Duration;
///
/// let link = NewLink::one_time("file-7", Duration::from_secs(24 * 3600)).issued_by("alice");
/// # let _ = link;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    pub(crate) record: String,
    pub(crate) issuer: String,
    pub(crate) uses: Option<NonZeroU32>,
    pub(crate) lifetime: Duration,
}

impl NewLink {
    /// A link to the record with this id that is good for one download.
    #[must_use]
    pub fn one_time(record: impl Into<String>, lifetime: Duration) -> Self {
        Self::counted(record, NonZeroU32::MIN, lifetime)
    }

    /// A link that is good for a number of downloads.
    #[must_use]
    pub fn counted(record: impl Into<String>, uses: NonZeroU32, lifetime: Duration) -> Self {
        Self { record: record.into(), issuer: String::new(), uses: Some(uses), lifetime }
    }

    /// A link that is good until it expires or is revoked.
    #[must_use]
    pub fn expiring(record: impl Into<String>, lifetime: Duration) -> Self {
        Self { record: record.into(), issuer: String::new(), uses: None, lifetime }
    }

    /// Who makes the link, for [`LinkAuthorizer`](crate::LinkAuthorizer). Whoever has the link can
    /// read it, so use an id that tells nothing.
    #[must_use]
    pub fn issued_by(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }
}

/// Whole seconds since 1970, rounded down.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
