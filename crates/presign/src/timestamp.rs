//! Moments in UTC, whole seconds, never rounded up: a URL dated in the future may be refused.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

/// A moment from 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp {
    seconds: u64,
}

impl Timestamp {
    /// `time` cut to whole seconds; `None` before 1970 and after 9999.
    pub(crate) fn new(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        (seconds <= 253_402_300_799).then_some(Self { seconds })
    }

    pub(crate) fn system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds)
    }

    /// `2026-01-01T00:00:05Z`, RFC 3339.
    pub(crate) fn rfc3339(self) -> String {
        let date = self.date();
        let (hour, minute, second) = self.clock();
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    fn date(self) -> OffsetDateTime {
        let seconds = self.seconds.cast_signed();
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn clock(self) -> (u64, u64, u64) {
        let of_day = self.seconds % 86_400;
        (of_day / 3600, of_day / 60 % 60, of_day % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_cut_and_years_have_four_digits() {
        let at = |seconds, nanos| Timestamp::new(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos));
        assert_eq!(at(0, 999_999_999).expect("in range").rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(at(1_369_353_599, 0).expect("in range").rfc3339(), "2013-05-23T23:59:59Z");
        assert_eq!(at(253_402_300_799, 0).expect("in range").rfc3339(), "9999-12-31T23:59:59Z");
        assert_eq!(at(253_402_300_800, 0), None);
        assert_eq!(Timestamp::new(SystemTime::UNIX_EPOCH - Duration::from_nanos(1)), None);
    }
}
