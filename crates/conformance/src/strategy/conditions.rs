//! RFC 9110 section 13, by table, with whatever validators the strategy gives.

use http::header::{
    CONTENT_LENGTH, ETAG, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{Method, StatusCode};

use super::samples::PLAIN;
use super::{Laws, sample};
use crate::law::{Verdict, ensure};

const OTHER: &str = "\"another-tag\"";
const EARLY: &str = "Thu, 01 Jan 1970 00:00:01 GMT";
const LATE: &str = "Fri, 31 Dec 9999 23:59:59 GMT";

const OK: u16 = 200;
const PARTIAL: u16 = 206;
const NOT_MODIFIED: u16 = 304;
const FAILED: u16 = 412;

type Row<'a> = (Vec<(HeaderName, &'a str)>, u16);

pub(super) async fn table(laws: &Laws) -> Verdict {
    let plain = sample(PLAIN)?;
    let site = laws.site(plain.download());
    let first = site.get(&plain.download(), &laws.head(&Method::GET, &[])).await;
    let text = |name| first.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (etag, modified) = (text(ETAG), text(LAST_MODIFIED));

    let mut rows = always(laws.ranges);
    if let Some(etag) = &etag {
        rows.extend(with_tag(etag, laws.ranges));
    }
    if let Some(modified) = &modified {
        rows.extend(with_date(modified));
    }
    for (fields, status) in rows {
        for method in [Method::GET, Method::HEAD] {
            let answer = site.get(&plain.download(), &laws.head(&method, &fields)).await;
            laws.saw(&answer);
            // HEAD has no parts.
            let status = if method == Method::HEAD && status == PARTIAL { OK } else { status };
            // A tag turns strong once a file has been left alone, and a strong one is never taken for the weak.
            let settled = text_of(&answer, ETAG) != etag && answer.status == StatusCode::OK;
            ensure!(
                answer.status.as_u16() == status || settled,
                "{method} {fields:?} is answered {}, expected {status}",
                answer.status
            );
            if matches!(answer.status.as_u16(), NOT_MODIFIED | FAILED) {
                ensure!(answer.body.is_empty(), "{} with a body", answer.status);
            }
            if answer.status.as_u16() == NOT_MODIFIED {
                ensure!(
                    text_of(&answer, CONTENT_LENGTH)
                        .is_none_or(|length| length == plain.bytes.len().to_string()),
                    "304 announces another length than the 200"
                );
            }
        }
    }
    Ok(())
}

fn text_of(answer: &crate::site::Answer, name: HeaderName) -> Option<String> {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Rows that hold for every file.
fn always(ranges: bool) -> Vec<Row<'static>> {
    let mut rows = vec![
        (vec![(IF_NONE_MATCH, "*")], NOT_MODIFIED),
        (vec![(IF_NONE_MATCH, OTHER)], OK),
        (vec![(IF_MATCH, "*")], OK),
        (vec![(IF_MATCH, OTHER)], FAILED),
        (vec![(IF_MATCH, OTHER), (IF_NONE_MATCH, "*")], FAILED),
        (vec![(IF_MATCH, OTHER), (RANGE, "bytes=0-0")], FAILED),
        (vec![(IF_NONE_MATCH, "*"), (RANGE, "bytes=0-0")], NOT_MODIFIED),
        (vec![(IF_NONE_MATCH, OTHER), (IF_MODIFIED_SINCE, LATE)], OK),
        (vec![(IF_MODIFIED_SINCE, "yesterday")], OK),
        (vec![(IF_UNMODIFIED_SINCE, "yesterday")], OK),
        (vec![(IF_RANGE, OTHER), (RANGE, "bytes=0-0")], OK),
        (vec![(IF_RANGE, EARLY), (RANGE, "bytes=0-0")], OK),
        (vec![(IF_RANGE, OTHER)], OK),
    ];
    if ranges {
        rows.push((vec![(IF_MATCH, "*"), (RANGE, "bytes=0-0")], PARTIAL));
    }
    rows
}

fn with_tag(etag: &str, ranges: bool) -> Vec<Row<'_>> {
    let weak = etag.starts_with("W/");
    let mut rows = vec![
        (vec![(IF_NONE_MATCH, etag)], NOT_MODIFIED),
        (vec![(IF_NONE_MATCH, OTHER), (IF_NONE_MATCH, etag)], NOT_MODIFIED),
        (vec![(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, EARLY)], NOT_MODIFIED),
        (vec![(IF_MATCH, etag)], if weak { FAILED } else { OK }),
        (vec![(IF_MATCH, OTHER), (IF_MATCH, etag)], if weak { FAILED } else { OK }),
    ];
    if ranges {
        rows.push((vec![(IF_RANGE, etag), (RANGE, "bytes=0-0")], if weak { OK } else { PARTIAL }));
    }
    rows
}

fn with_date(modified: &str) -> Vec<Row<'_>> {
    vec![
        (vec![(IF_MODIFIED_SINCE, modified)], NOT_MODIFIED),
        (vec![(IF_MODIFIED_SINCE, LATE)], NOT_MODIFIED),
        (vec![(IF_MODIFIED_SINCE, EARLY)], OK),
        (vec![(IF_UNMODIFIED_SINCE, modified)], OK),
        (vec![(IF_UNMODIFIED_SINCE, EARLY)], FAILED),
        (vec![(IF_UNMODIFIED_SINCE, EARLY), (IF_MATCH, "*")], OK),
    ]
}
