//! When a URL says that it ends, in the ways of the stores.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Url;

impl Url {
    /// The end that a store would read. `None` if the URL says it in no way that S3, GCS, Azure or CloudFront know.
    pub(crate) fn ends(&self) -> Option<SystemTime> {
        let value = |name: &str| {
            self.query().iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
        };
        for vendor in ["X-Amz", "X-Goog"] {
            if let Some(lifetime) = value(&format!("{vendor}-Expires")) {
                let start = date(value(&format!("{vendor}-Date"))?)?;
                return start.checked_add(Duration::from_secs(lifetime.parse().ok()?));
            }
        }
        if let Some(seconds) = value("Expires") {
            return UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?));
        }
        date(value("se")?)
    }
}

/// `20270115T080000Z` or `2027-01-15T08:00:00Z`.
fn date(text: &str) -> Option<SystemTime> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_date = digits.len() == 14 && text.ends_with('Z');
    let number = |at: std::ops::Range<usize>| digits.get(at)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    if !is_date || year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Days before this month, counted from March of the year 0 so that leap days come last.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + number(8..10)? * 3600 + number(10..12)? * 60 + number(12..14)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_since_1970() {
        for (text, seconds) in [
            ("19700101T000000Z", Some(0)),
            ("20000229T235959Z", Some(951_868_799)),
            ("2027-01-15T08:00:00Z", Some(1_800_000_000)),
            ("20270115T080000", None),
            ("20271315T080000Z", None),
        ] {
            let expected = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(date(text), expected, "{text}");
        }
    }
}
