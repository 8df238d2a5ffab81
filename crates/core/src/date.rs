//! HTTP dates, RFC 9110 section 5.6.7: whole seconds from 1970 to 9999.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// 9999-12-31T23:59:59Z, the last second that the format can write.
const LAST: u64 = 253_402_300_799;

/// A moment as HTTP can express it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HttpDate(u64);

impl HttpDate {
    /// `time` cut to whole seconds; `None` before 1970 and after 9999.
    pub(crate) fn from_time(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        (seconds <= LAST).then_some(Self(seconds))
    }

    /// Reads any of the three date forms; `None` for anything else.
    pub(crate) fn parse(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        Self::from_time(httpdate::parse_http_date(text).ok()?)
    }

    pub(crate) fn to_header(self) -> HeaderValue {
        let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.0));
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_outside_the_format_are_none() {
        assert_eq!(HttpDate::from_time(UNIX_EPOCH - Duration::from_nanos(1)), None);
        assert_eq!(HttpDate::from_time(UNIX_EPOCH + Duration::from_secs(LAST + 1)), None);
        let last = HttpDate::from_time(UNIX_EPOCH + Duration::from_secs(LAST)).expect("in range");
        assert_eq!(last.to_header(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn the_three_forms_of_one_date_are_equal() {
        let expected = HttpDate(784_111_777);
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(HttpDate::parse(&HeaderValue::from_static(text)), Some(expected), "{text}");
        }
        for text in ["", "0", "yesterday", "Sun, 06 Nov 1994 08:49:37", "1994-11-06T08:49:37Z"] {
            assert_eq!(HttpDate::parse(&HeaderValue::from_static(text)), None, "{text}");
        }
    }
}
