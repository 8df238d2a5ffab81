//! [`Terms`]: under which conditions one download happens.

use std::num::NonZeroU64;
use std::time::Duration;

/// What a record allows, one request asks or one decision imposes.
///
/// The gate combines all of them with [`Terms::stricter`]; the stricter side wins.
///
/// ```
/// use secure_download_core::Terms;
/// use std::time::Duration;
///
/// let asked = Terms::new().inline().expires(Duration::from_secs(60));
/// let imposed = Terms::new().attachment().expires(Duration::from_secs(5));
/// assert_eq!(asked.stricter(imposed), imposed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    inline: Option<bool>,
    expires: Option<Duration>,
    rate: Option<NonZeroU64>,
    limited_uses: bool,
}

impl Terms {
    /// No terms at all.
    #[must_use]
    pub const fn new() -> Self {
        Self { inline: None, expires: None, rate: None, limited_uses: false }
    }

    /// Asks for `Content-Disposition: inline`. Granted only for content types that the gate's
    /// [`ContentPolicy`](crate::ContentPolicy) lists as safe, and only if nobody insists on an attachment.
    #[must_use]
    pub const fn inline(mut self) -> Self {
        self.inline = Some(true);
        self
    }

    /// Insists on `Content-Disposition: attachment`.
    #[must_use]
    pub const fn attachment(mut self) -> Self {
        self.inline = Some(false);
        self
    }

    /// The longest life of a URL signed for this download. It does not end a running transfer.
    #[must_use]
    pub const fn expires(mut self, after: Duration) -> Self {
        self.expires = Some(after);
        self
    }

    /// The highest transfer rate, in bytes per second.
    #[must_use]
    pub const fn rate(mut self, bytes_per_second: NonZeroU64) -> Self {
        self.rate = Some(bytes_per_second);
        self
    }

    /// Insists on a [`UsageLimit`](crate::UsageLimit) that counts this download. A gate without one, or with one that does
    /// not limit this record, refuses with 500: an authorizer of one-time links imposes it.
    #[must_use]
    pub const fn limited_uses(mut self) -> Self {
        self.limited_uses = true;
        self
    }

    /// Whether inline delivery was asked for and nobody insisted on an attachment.
    #[must_use]
    pub fn asks_inline(&self) -> bool {
        self.inline == Some(true)
    }

    /// The longest life of a signed URL, if limited.
    #[must_use]
    pub fn expiry(&self) -> Option<Duration> {
        self.expires
    }

    /// The highest transfer rate in bytes per second, if limited.
    #[must_use]
    pub fn rate_limit(&self) -> Option<NonZeroU64> {
        self.rate
    }

    /// Whether somebody insisted on a limit on uses.
    #[must_use]
    pub fn insists_on_limited_uses(&self) -> bool {
        self.limited_uses
    }

    /// The stricter of both, term by term: attachment before inline before silence, the shorter
    /// expiry, the lower rate, a limit on uses before none.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            inline: match (self.inline, other.inline) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (one, two) => one.or(two),
            },
            expires: smaller(self.expires, other.expires),
            rate: smaller(self.rate, other.rate),
            limited_uses: self.limited_uses || other.limited_uses,
        }
    }
}

fn smaller<T: Ord>(one: Option<T>, two: Option<T>) -> Option<T> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_side_wins_whatever_the_order() {
        let none = Terms::new();
        let slow = NonZeroU64::MIN;
        let fast = NonZeroU64::MAX;
        for (one, two, stricter) in [
            (none, none, none),
            (none.inline(), none, none.inline()),
            (none.inline(), none.attachment(), none.attachment()),
            (none.expires(Duration::from_secs(9)), none, none.expires(Duration::from_secs(9))),
            (
                none.expires(Duration::from_secs(9)),
                none.expires(Duration::from_secs(5)),
                none.expires(Duration::from_secs(5)),
            ),
            (none.rate(fast), none.rate(slow), none.rate(slow)),
            (none.limited_uses(), none, none.limited_uses()),
        ] {
            assert_eq!(one.stricter(two), stricter);
            assert_eq!(two.stricter(one), stricter);
        }
    }
}
