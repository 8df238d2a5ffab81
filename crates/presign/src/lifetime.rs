//! [`Lifetime`]: from when until when a URL is good.

use std::time::{Duration, SystemTime};

use http::header::CONTENT_DISPOSITION;
use secure_download_core::{CachePolicy, Grant};

/// A small attachment, and whatever spends one of a limited number of uses: it is fetched at once or not at all.
const SHORT: Duration = Duration::from_secs(5);

/// What is shown inline. Browsers ask the signed URL itself again, for every seek of a player, page of a document and
/// reload.
const INLINE: Duration = Duration::from_secs(3600);

/// An attachment of at most so many bytes is small.
const SMALL: u64 = 1024 * 1024;

/// How many bytes a second a large attachment is expected to take at least, pauses and retries included.
const SLOW: u64 = 128 * 1024;

/// What a large attachment lives longer than it takes at that rate.
const RETRIES: Duration = Duration::from_secs(60);

/// How long terms can make a URL live where no maximum is named. Temporary credentials are refreshed earlier than this
/// before they end.
const LONGEST_BY_TERMS: Duration = Duration::from_secs(300);

/// How the lifetimes of URLs are chosen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifetimes {
    /// What the application named, for every file.
    pub(crate) named: Option<Duration>,
    pub(crate) longest: Option<Duration>,
    /// How long a URL stays the same.
    pub(crate) stable_for: Option<Duration>,
}

/// From when a URL is dated, and how long it lives from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) from: SystemTime,
    pub(crate) lasts: Duration,
}

/// A span of time in which a URL stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) lifetime: Lifetime,
    pub(crate) end: SystemTime,
    length: Duration,
}

impl Lifetimes {
    /// The lifetime of a URL that is made now, for this grant alone.
    pub(crate) fn fresh(&self, grant: &Grant, now: SystemTime) -> Lifetime {
        let by_terms = grant.terms().expiry();
        let asked = by_terms.or(self.named).unwrap_or_else(|| by_file(grant));
        let longest = self.longest.unwrap_or_else(|| match by_terms {
            Some(_) => LONGEST_BY_TERMS.max(self.named.unwrap_or_default()),
            None => asked,
        });
        Lifetime { from: now, lasts: Duration::from_secs(asked.min(longest).as_secs()) }
    }

    /// The window around now, if URLs of this grant may stay the same for a while: not those that terms end, that spend
    /// one of a limited number of uses, or whose record lets the client keep nothing.
    pub(crate) fn window(&self, grant: &Grant, now: SystemTime) -> Option<Window> {
        let asked = self.stable_for?;
        let kept = grant.download().known_cache_policy() != Some(CachePolicy::NoStore);
        if grant.terms().expiry().is_some() || grant.is_limited() || !kept {
            return None;
        }
        let fresh = self.fresh(grant, now).lasts;
        let longest = self.longest.unwrap_or(Duration::MAX);
        // A URL lives on behind the end of its window, for whoever got it there.
        let length = asked.min(longest / 2).as_secs();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let start = since - since.checked_rem(length)?;
        let (length, from) =
            (Duration::from_secs(length), SystemTime::UNIX_EPOCH + Duration::from_secs(start));
        let lifetime = Lifetime { from, lasts: fresh.saturating_add(length).min(longest) };
        let lifetime = Lifetime { lasts: Duration::from_secs(lifetime.lasts.as_secs()), ..lifetime };
        Some(Window { lifetime, end: from.checked_add(length)?, length })
    }
}

impl Window {
    /// What a client may do with what the URL leads to. It is signed, so it is the same in the whole window.
    pub(crate) fn policy(&self) -> CachePolicy {
        CachePolicy::Private { max_age: self.length }
    }
}

fn by_file(grant: &Grant) -> Duration {
    let disposition = grant.plan().headers().get(CONTENT_DISPOSITION);
    let inline = disposition.is_some_and(|value| value.as_bytes().starts_with(b"inline"));
    match grant.download().known_length() {
        _ if grant.is_limited() => SHORT,
        _ if inline => INLINE,
        Some(length) if length > SMALL => (RETRIES + Duration::from_secs(length / SLOW)).min(INLINE),
        _ => SHORT,
    }
}
