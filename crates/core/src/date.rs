//! HTTP dates, RFC 9110 section 5.6.7.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// 9999-12-31T23:59:59Z, the last second that the format can write.
const LAST: u64 = 253_402_300_799;

const SECONDS_PER_DAY: i64 = 86_400;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// From the weekday of 1970-01-01 on.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// A moment as HTTP can express it: seconds since 1970. Requests may name earlier ones, answers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HttpDate(i64);

impl HttpDate {
    /// `time` cut to whole seconds; `None` before 1970 and after 9999.
    pub(crate) fn from_time(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        (seconds <= LAST).then_some(Self(i64::try_from(seconds).ok()?))
    }

    /// Reads any of the three date forms, of any year that they can write; `None` for anything else, a weekday that the
    /// date does not have included. `now` tells the century of a year of two digits.
    pub(crate) fn parse(value: &HeaderValue, now: SystemTime) -> Option<Self> {
        let words: Vec<&str> = value.to_str().ok()?.split(' ').collect();
        match words[..] {
            // Sun, 06 Nov 1994 08:49:37 GMT
            [weekday, day, month, year, time, "GMT"] => {
                let weekday = weekday.strip_suffix(',').filter(|name| name.len() == 3)?;
                Self::new(weekday, digits(year, 4)?, month, digits(day, 2)?, time)
            }
            // Sunday, 06-Nov-94 08:49:37 GMT
            [weekday, date, time, "GMT"] => {
                let weekday = weekday.strip_suffix(',').filter(|name| name.len() > 3)?;
                let mut date = date.split('-');
                let (day, month, year) = (date.next()?, date.next()?, date.next()?);
                if date.next().is_some() {
                    return None;
                }
                Self::new(weekday, full_year(digits(year, 2)?, now), month, digits(day, 2)?, time)
            }
            // Sun Nov 16 08:49:37 1994
            [weekday, month, day, time, year] if weekday.len() == 3 => {
                Self::new(weekday, digits(year, 4)?, month, digits(day, 2)?, time)
            }
            // Sun Nov  6 08:49:37 1994
            [weekday, month, "", day, time, year] if weekday.len() == 3 => {
                Self::new(weekday, digits(year, 4)?, month, digits(day, 1)?, time)
            }
            _ => None,
        }
    }

    fn new(weekday: &str, year: i64, month: &str, day: i64, time: &str) -> Option<Self> {
        let month = MONTHS.iter().position(|name| *name == month)?;
        let first = days_before(year, month);
        let next = if month == 11 { days_before(year + 1, 0) } else { days_before(year, month + 1) };
        if !(1..=next - first).contains(&day) {
            return None;
        }
        let days = first + day - 1;
        let name = WEEKDAYS[usize::try_from(days.rem_euclid(7)).ok()?];
        // The short name or the whole one, nothing between.
        if weekday != name && weekday != &name[..3] {
            return None;
        }
        let mut time = time.split(':');
        let (hour, minute) = (digits(time.next()?, 2)?, digits(time.next()?, 2)?);
        let second = digits(time.next()?, 2)?;
        // Second 60 is a leap second.
        if time.next().is_some() || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        Some(Self(days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second))
    }

    pub(crate) fn to_header(self) -> HeaderValue {
        let seconds = u64::try_from(self.0).unwrap_or_default();
        let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// A decimal number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// The latest year that ends in `two_digits` and is not more than 50 years ahead.
fn full_year(two_digits: i64, now: SystemTime) -> i64 {
    let days = now.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs() / 86_400);
    let mut this_year = 1970 + i64::try_from(days).unwrap_or_default() / 366;
    while days_before(this_year + 1, 0) <= i64::try_from(days).unwrap_or_default() {
        this_year += 1;
    }
    let limit = this_year + 50;
    limit - (limit - two_digits).rem_euclid(100)
}

/// Days from 1970 to the first of a month, counted from 0, in the calendar of today carried back.
fn days_before(year: i64, month: usize) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    years + BEFORE[month] + i64::from(leap && month > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01.
    const NOW: Duration = Duration::from_secs(1_767_225_600);

    fn parse(text: &str) -> Option<i64> {
        HttpDate::parse(&HeaderValue::from_str(text).expect("a value"), UNIX_EPOCH + NOW).map(|date| date.0)
    }

    #[test]
    fn dates_outside_the_format_are_none() {
        assert_eq!(HttpDate::from_time(UNIX_EPOCH - Duration::from_nanos(1)), None);
        assert_eq!(HttpDate::from_time(UNIX_EPOCH + Duration::from_secs(LAST + 1)), None);
        let last = HttpDate::from_time(UNIX_EPOCH + Duration::from_secs(LAST)).expect("in range");
        assert_eq!(last.to_header(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn the_three_forms() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Wed Nov 16 08:49:37 1994", Some(784_975_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
            ("Mon, 01 Jan 1900 00:00:00 GMT", Some(-2_208_988_800)),
            ("Sat, 01 Jan 0000 00:00:00 GMT", Some(-62_167_219_200)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
            ("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_800)),
            // No such date.
            ("Wed, 29 Feb 2023 00:00:00 GMT", None),
            ("Thu, 29 Feb 1900 00:00:00 GMT", None),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:60:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:61 GMT", None),
            // Not the forms.
            ("", None),
            ("0", None),
            ("yesterday", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 UTC", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 94 08:49:37 GMT", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun,  06 Nov 1994 08:49:37 GMT", None),
            ("Sun 06 Nov 1994 08:49:37 GMT", None),
            ("Sunday, 06 Nov 1994 08:49:37 GMT", None),
            ("Sund, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06-Nov-94 08:49:37 GMT", None),
            ("Sunday, 06-Nov-1994 08:49:37 GMT", None),
            ("Sunday, 06-Nov-94-1 08:49:37 GMT", None),
            ("Sun Nov 06 8:49:37 1994", None),
            ("Sun, +6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37:00 GMT", None),
            ("1994-11-06T08:49:37Z", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn years_of_two_digits_are_at_most_50_years_ahead() {
        let now = UNIX_EPOCH + NOW;
        for (two_digits, year) in [(94, 1994), (99, 1999), (0, 2000), (26, 2026), (76, 2076), (77, 1977)] {
            assert_eq!(full_year(two_digits, now), year);
        }
        assert_eq!(full_year(5, UNIX_EPOCH + Duration::from_secs(915_148_800)), 2005, "seen in 1999");
        assert_eq!(full_year(0, UNIX_EPOCH), 2000);
    }

    proptest::proptest! {
        /// Against another implementation.
        #[test]
        fn what_is_written_is_read(seconds in 0..=LAST) {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
            proptest::prop_assert_eq!(parse(&text), i64::try_from(seconds).ok());
        }
    }
}
