//! Conditional requests, RFC 9110 section 13.

use std::time::SystemTime;

use http::Method;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

use crate::date::HttpDate;
use crate::{ETag, RequestHead};

/// The validators of the file as it is now.
pub(crate) struct Validators<'a> {
    pub(crate) etag: Option<&'a ETag>,
    /// As it is sent: whole seconds, never in the future, `None` before 1970.
    pub(crate) last_modified: Option<HttpDate>,
    /// Whether the last change is old enough that a date tells versions apart.
    pub(crate) settled: bool,
    now: SystemTime,
}

impl<'a> Validators<'a> {
    pub(crate) fn new(etag: Option<&'a ETag>, modified: Option<SystemTime>, now: SystemTime) -> Self {
        // Section 8.8.2.1: a modification time in the future is replaced by the time of the answer.
        let last_modified = modified.and_then(|time| HttpDate::from_time(time.min(now)));
        let settled = modified
            .and_then(|time| now.duration_since(time).ok())
            .is_some_and(|age| age >= crate::representation::SETTLED_AFTER);
        Self { etag, last_modified, settled, now }
    }

    /// A date field; absent, repeated or unreadable ones are ignored (sections 13.1.3 and 13.1.4).
    fn date(&self, head: &RequestHead, name: HeaderName) -> Option<HttpDate> {
        head.single(name).and_then(|value| HttpDate::parse(value, self.now))
    }
}

/// The outcome of section 13.2.2's steps 1 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precondition {
    Holds,
    NotModified,
    Failed,
}

/// Evaluates `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since` in the order of
/// section 13.2.2.
pub(crate) fn evaluate(head: &RequestHead, validators: &Validators<'_>) -> Precondition {
    if head.has(IF_MATCH) {
        if !lists(head, IF_MATCH, validators.etag, ETag::strong_eq) {
            return Precondition::Failed;
        }
    } else if let (Some(date), Some(modified)) =
        (validators.date(head, IF_UNMODIFIED_SINCE), validators.last_modified)
        && modified > date
    {
        return Precondition::Failed;
    }
    let safe = matches!(*head.method(), Method::GET | Method::HEAD);
    if head.has(IF_NONE_MATCH) {
        if lists(head, IF_NONE_MATCH, validators.etag, ETag::weak_eq) {
            return if safe { Precondition::NotModified } else { Precondition::Failed };
        }
    } else if safe
        && let (Some(date), Some(modified)) =
            (validators.date(head, IF_MODIFIED_SINCE), validators.last_modified)
        && modified <= date
    {
        return Precondition::NotModified;
    }
    Precondition::Holds
}

/// Step 5: whether a `Range` may be applied. Anything but exactly one validator that certainly names the bytes
/// as they are now lets the whole file be sent (section 13.1.5).
pub(crate) fn if_range_holds(head: &RequestHead, validators: &Validators<'_>) -> bool {
    if !head.has(IF_RANGE) {
        return true;
    }
    let Some(value) = head.single(IF_RANGE) else { return false };
    if let Some(tag) = ETag::parse(value.as_bytes()) {
        return validators.etag.is_some_and(|etag| etag.strong_eq(&tag));
    }
    validators.settled
        && HttpDate::parse(value, validators.now).is_some_and(|date| validators.last_modified == Some(date))
}

/// Whether the field is `*` or lists a tag that equals `etag`. Members that are no entity tags match nothing.
fn lists(head: &RequestHead, name: HeaderName, etag: Option<&ETag>, eq: fn(&ETag, &ETag) -> bool) -> bool {
    head.fields(name).any(|line| {
        line.as_bytes().trim_ascii() == b"*"
            || etag.is_some_and(|etag| members(line.as_bytes()).any(|tag| eq(&tag, etag)))
    })
}

/// The entity tags of one line of a list field, section 5.6.1. Commas inside quotes belong to the tag.
fn members(mut rest: &[u8]) -> impl Iterator<Item = ETag> {
    std::iter::from_fn(move || {
        loop {
            while let [b',' | b' ' | b'\t', after @ ..] = rest {
                rest = after;
            }
            if rest.is_empty() {
                return None;
            }
            let parsed = ETag::parse_prefix(rest);
            let after = parsed.as_ref().map_or(rest, |(_, after)| *after);
            // The member ends at the next comma; what stands between makes it no entity tag.
            let end = after.iter().position(|&byte| byte == b',').unwrap_or(after.len());
            let clean = after[..end].trim_ascii().is_empty();
            rest = &after[end..];
            if let (Some((tag, _)), true) = (parsed, clean) {
                return Some(tag);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};
    use std::time::{Duration, UNIX_EPOCH};

    type Fields = &'static [(&'static str, &'static str)];

    /// Sun, 06 Nov 1994 08:49:37 GMT, the RFC's own example.
    const MODIFIED: u64 = 784_111_777;
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn head(method: &Method, fields: &[(&'static str, &'static str)]) -> RequestHead {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        RequestHead::new(method, &headers)
    }

    fn strong() -> ETag {
        ETag::strong("v1").expect("valid")
    }

    #[test]
    fn the_order_and_comparisons_of_section_13_2_2() {
        use Precondition::{Failed, Holds, NotModified};
        let modified = Some(UNIX_EPOCH + Duration::new(MODIFIED, 999_999_999));
        let now = UNIX_EPOCH + Duration::from_secs(MODIFIED + 1000);
        let tag = strong();
        let validators = Validators::new(Some(&tag), modified, now);
        let cases: &[(Fields, Precondition)] = &[
            (&[], Holds),
            (&[("if-match", "\"v1\"")], Holds),
            (&[("if-match", "*")], Holds),
            (&[("if-match", " * ")], Holds),
            (&[("if-match", "\"v0\", \"v1\"")], Holds),
            (&[("if-match", ",, \"v0\" ,\t\"v1\",")], Holds),
            (&[("if-match", "\"v0\""), ("if-match", "\"v1\"")], Holds),
            (&[("if-match", "\"v0\"")], Failed),
            (&[("if-match", "W/\"v1\"")], Failed),
            (&[("if-match", "v1")], Failed),
            (&[("if-match", "junk, \"v1\"")], Holds),
            (&[("if-match", "\"v1\" junk, \"v0\"")], Failed),
            (&[("if-match", "\"v0,\"v1\"")], Failed),
            (&[("if-match", "")], Failed),
            (&[("if-unmodified-since", SAME)], Holds),
            (&[("if-unmodified-since", AFTER)], Holds),
            (&[("if-unmodified-since", BEFORE)], Failed),
            (&[("if-unmodified-since", "Wed, 31 Dec 1969 23:59:59 GMT")], Failed),
            (&[("if-unmodified-since", "junk")], Holds),
            (&[("if-unmodified-since", BEFORE), ("if-unmodified-since", BEFORE)], Holds),
            (&[("if-match", "\"v1\""), ("if-unmodified-since", BEFORE)], Holds),
            (&[("if-none-match", "\"v1\"")], NotModified),
            (&[("if-none-match", "W/\"v1\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"v0\", W/\"v1\"")], NotModified),
            (&[("if-none-match", "\"v0\""), ("if-none-match", "\"v1\"")], NotModified),
            (&[("if-none-match", "\"v0\"")], Holds),
            (&[("if-none-match", "junk")], Holds),
            (&[("if-none-match", "*, \"v0\"")], Holds),
            (&[("if-modified-since", SAME)], NotModified),
            (&[("if-modified-since", AFTER)], NotModified),
            (&[("if-modified-since", "Sun Nov  6 08:49:37 1994")], NotModified),
            (&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
            (&[("if-modified-since", BEFORE)], Holds),
            (&[("if-modified-since", "0")], Holds),
            (&[("if-modified-since", SAME), ("if-modified-since", SAME)], Holds),
            (&[("if-none-match", "\"v0\""), ("if-modified-since", SAME)], Holds),
            (&[("if-none-match", "\"v1\""), ("if-modified-since", BEFORE)], NotModified),
            (&[("if-match", "\"v0\""), ("if-none-match", "\"v1\"")], Failed),
            (&[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")], NotModified),
            (&[("if-unmodified-since", BEFORE), ("if-none-match", "\"v1\"")], Failed),
            (&[("if-unmodified-since", AFTER), ("if-modified-since", AFTER)], NotModified),
        ];
        for (fields, expected) in cases {
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(evaluate(&head(&method, fields), &validators), *expected, "{method} {fields:?}");
            }
        }
        assert_eq!(evaluate(&head(&Method::PUT, &[("if-none-match", "*")]), &validators), Failed);
        assert_eq!(evaluate(&head(&Method::PUT, &[("if-modified-since", SAME)]), &validators), Holds);
    }

    #[test]
    fn without_a_date_the_date_fields_are_ignored() {
        let now = UNIX_EPOCH + Duration::from_secs(MODIFIED);
        for modified in [None, Some(UNIX_EPOCH - Duration::from_secs(1))] {
            let validators = Validators::new(None, modified, now);
            for field in ["if-modified-since", "if-unmodified-since"] {
                for date in [BEFORE, AFTER] {
                    assert_eq!(
                        evaluate(&head(&Method::GET, &[(field, date)]), &validators),
                        Precondition::Holds
                    );
                }
            }
        }
    }

    #[test]
    fn a_date_in_the_future_becomes_now() {
        let now = UNIX_EPOCH + Duration::from_secs(MODIFIED);
        let validators = Validators::new(None, Some(now + Duration::from_secs(500)), now);
        assert_eq!(validators.last_modified, HttpDate::from_time(now));
        assert!(!validators.settled);
    }

    #[test]
    fn if_range_wants_one_strong_validator() {
        let modified = UNIX_EPOCH + Duration::from_secs(MODIFIED);
        let (tag, weak) = (strong(), ETag::weak("v1").expect("valid"));
        let settled = Validators::new(Some(&tag), Some(modified), modified + Duration::from_secs(2));
        let fresh = Validators::new(Some(&weak), Some(modified), modified + Duration::from_secs(1));
        let cases: &[(Fields, bool, bool)] = &[
            (&[], true, true),
            (&[("if-range", "\"v1\"")], true, false),
            (&[("if-range", "W/\"v1\"")], false, false),
            (&[("if-range", "\"v0\"")], false, false),
            (&[("if-range", SAME)], true, false),
            (&[("if-range", BEFORE)], false, false),
            (&[("if-range", AFTER)], false, false),
            (&[("if-range", "junk")], false, false),
            (&[("if-range", "*")], false, false),
            (&[("if-range", "\"v1\", \"v1\"")], false, false),
            (&[("if-range", "\"v1\""), ("if-range", "\"v1\"")], false, false),
        ];
        for (fields, on_settled, on_fresh) in cases {
            assert_eq!(if_range_holds(&head(&Method::GET, fields), &settled), *on_settled, "{fields:?}");
            assert_eq!(if_range_holds(&head(&Method::GET, fields), &fresh), *on_fresh, "{fields:?}");
        }
    }
}
