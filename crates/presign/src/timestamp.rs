//! Moments in UTC, whole seconds, never rounded up: a URL dated in the future may be refused.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use secure_download_core::SignError;
use time::OffsetDateTime;

/// 9999-12-31T23:59:59Z, the last second that every format can write.
const LAST: u64 = 253_402_300_799;
const SECONDS_PER_DAY: u64 = 86_400;

/// A moment from 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    seconds: u64,
}

impl Timestamp {
    /// `time` cut to whole seconds; `None` before 1970 and after 9999.
    pub(crate) fn new(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        (seconds <= LAST).then_some(Self { seconds })
    }

    /// As [`Timestamp::new`], for signers.
    pub(crate) fn of_signature(time: SystemTime) -> Result<Self, SignError> {
        Self::new(time).ok_or_else(|| SignError::Failed("the clock is outside the years 1970 to 9999".into()))
    }

    pub(crate) fn plus(self, seconds: u64) -> Self {
        Self { seconds: self.seconds.saturating_add(seconds).min(LAST) }
    }

    pub(crate) fn seconds(self) -> u64 {
        self.seconds
    }

    /// Days since 1970.
    pub(crate) fn day(self) -> u64 {
        self.seconds / SECONDS_PER_DAY
    }

    pub(crate) fn system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds)
    }

    /// `2026-01-01T00:00:05Z`, RFC 3339.
    pub(crate) fn rfc3339(self) -> String {
        let (year, month, day) = self.date();
        let [hour, minute, second] = self.clock();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// `20260101`.
    pub(crate) fn basic_date(self) -> String {
        let (year, month, day) = self.date();
        format!("{year:04}{month:02}{day:02}")
    }

    /// Appends `000005Z`, the rest of a date in the basic format.
    pub(crate) fn push_basic_time(self, out: &mut String) {
        for two in self.clock() {
            out.extend([two / 10, two % 10].map(|digit| char::from(b'0' + digit)));
        }
        out.push('Z');
    }

    /// `20260101T000005Z`.
    #[cfg(feature = "sts")]
    pub(crate) fn basic(self) -> String {
        let mut text = self.basic_date();
        text.push('T');
        self.push_basic_time(&mut text);
        text
    }

    fn date(self) -> (i32, u8, u8) {
        let date = OffsetDateTime::from_unix_timestamp(self.seconds.cast_signed());
        let date = date.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        (date.year(), date.month().into(), date.day())
    }

    #[expect(clippy::cast_possible_truncation, reason = "each is below 60")]
    fn clock(self) -> [u8; 3] {
        let of_day = self.seconds % SECONDS_PER_DAY;
        [of_day / 3600, of_day / 60 % 60, of_day % 60].map(|part| part as u8)
    }
}

/// Appends a number in decimal.
pub(crate) fn push_number(out: &mut String, number: u64) {
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_cut_and_years_have_four_digits() {
        let at = |seconds, nanos| Timestamp::new(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos));
        assert_eq!(at(0, 999_999_999).expect("in range").rfc3339(), "1970-01-01T00:00:00Z");
        let moment = at(1_369_353_599, 0).expect("in range");
        assert_eq!(moment.rfc3339(), "2013-05-23T23:59:59Z");
        let basic = |moment: Timestamp| {
            let mut text = moment.basic_date();
            moment.push_basic_time(&mut text);
            text
        };
        assert_eq!(basic(moment), "20130523235959Z");
        assert_eq!(basic(moment.plus(1)), "20130524000000Z");
        assert_eq!(at(LAST, 0).expect("in range").plus(1).rfc3339(), "9999-12-31T23:59:59Z");
        assert_eq!(at(LAST + 1, 0), None);
        assert_eq!(Timestamp::new(SystemTime::UNIX_EPOCH - Duration::from_nanos(1)), None);
    }
}
