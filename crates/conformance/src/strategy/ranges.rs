//! RFC 9110 section 14, by table.

use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, Method, StatusCode};

use super::samples::{EMPTY, LARGE, LARGE_LENGTH, PLAIN, PLAIN_LENGTH};
use super::{Laws, sample};
use crate::law::{Verdict, ensure};
use crate::site::Answer;

const END: usize = PLAIN_LENGTH;

/// What comes: everything, one piece, several, or 416. From the first byte to the one behind the last.
#[derive(Debug, Clone, Copy)]
enum Expect {
    Whole,
    One(usize, usize),
    Many(&'static [(usize, usize)]),
    Unsatisfiable,
}
use Expect::{Many, One, Unsatisfiable, Whole};

const TABLE: &[(&str, Expect)] = &[
    ("bytes=0-0", One(0, 1)),
    ("bytes=0-", One(0, END)),
    ("bytes=1-1", One(1, 2)),
    ("bytes=65535-65537", One(65_535, 65_538)),
    ("bytes=100002-", One(END - 1, END)),
    ("bytes=100002-100003", One(END - 1, END)),
    ("bytes=99999-99999999999999999999999", One(99_999, END)),
    ("bytes=-1", One(END - 1, END)),
    ("bytes=-500", One(END - 500, END)),
    ("bytes=-9999999", One(0, END)),
    ("Bytes=7-9", One(7, 10)),
    ("bytes=0-49,50-99", One(0, 100)),
    ("bytes=0-59, 40-99", One(0, 100)),
    ("bytes=0-9,100-109", Many(&[(0, 10), (100, 110)])),
    ("bytes=-5,0-4", Many(&[(END - 5, END), (0, 5)])),
    ("bytes=0-0,70000-70001,100001-", Many(&[(0, 1), (70_000, 70_002), (END - 2, END)])),
    ("bytes=0-9,100003-", One(0, 10)),
    ("bytes=100003-", Unsatisfiable),
    ("bytes=-0", Unsatisfiable),
    ("bytes=99999999999999999999999-", Unsatisfiable),
    ("bytes=100003-100004,200000-", Unsatisfiable),
    ("bytes=", Whole),
    ("bytes", Whole),
    ("bytes=-", Whole),
    ("bytes=5-2", Whole),
    ("bytes=0-1,5-2", Whole),
    ("bytes=a-b", Whole),
    ("bytes=0x1-2", Whole),
    ("bytes=+1-2", Whole),
    ("bytes=--1", Whole),
    ("bytes=0-1;2-3", Whole),
    ("lines=0-1", Whole),
    ("bytes 0-1", Whole),
];

/// Beyond what one buffer holds, and across the ends of buffers.
const FAR: &[(&str, Expect)] = &[
    ("bytes=65530-65545", One(65_530, 65_546)),
    ("bytes=131071-131073", One(131_071, 131_074)),
    ("bytes=131072-", One(131_072, LARGE_LENGTH)),
    ("bytes=262140-524300", One(262_140, 524_301)),
    ("bytes=600000-600000", One(600_000, 600_001)),
    ("bytes=-100001", One(LARGE_LENGTH - 100_001, LARGE_LENGTH)),
    ("bytes=131072-131172,400000-600000", Many(&[(131_072, 131_173), (400_000, 600_001)])),
];

pub(super) async fn table(laws: &Laws) -> Verdict {
    let plain = sample(PLAIN)?;
    let site = laws.site(plain.download());
    for (name, table) in [(PLAIN, TABLE), (LARGE, FAR)] {
        let file = sample(name)?;
        for &(range, expect) in table {
            let answer = site.get(&file.download(), &laws.head(&Method::GET, &[(RANGE, range)])).await;
            laws.saw(&answer);
            let expect = if laws.ranges { expect } else { Whole };
            right(expect, &answer, &file.bytes).map_err(|seen| format!("{name}, `{range}`: {seen}"))?;
        }
    }
    for (what, range) in [("too many", many(300)), ("too long", format!("bytes=0-0{}", " ".repeat(9000)))] {
        let answer = site.get(&plain.download(), &laws.head(&Method::GET, &[(RANGE, &range)])).await;
        right(Whole, &answer, &plain.bytes).map_err(|seen| format!("{what}: {seen}"))?;
    }
    let twice = laws.head(&Method::GET, &[(RANGE, "bytes=0-0"), (RANGE, "bytes=1-1")]);
    let answer = site.get(&plain.download(), &twice).await;
    right(Whole, &answer, &plain.bytes).map_err(|seen| format!("two fields: {seen}"))?;
    if laws.ranges {
        // No 206 can describe it, and a client that adds `bytes=0-` to every request wants the file.
        let empty = sample(EMPTY)?;
        for range in ["bytes=0-", "bytes=0-0", "bytes=5-", "bytes=-5", "bytes=0-0,-1"] {
            let answer = site.get(&empty.download(), &laws.head(&Method::GET, &[(RANGE, range)])).await;
            right(Whole, &answer, &empty.bytes)
                .map_err(|seen| format!("an empty file, `{range}`: {seen}"))?;
        }
    }
    Ok(())
}

/// More ranges than anybody needs, each apart from the next.
fn many(count: usize) -> String {
    let ranges: Vec<String> = (0..count).map(|at| format!("{}-{}", at * 4, at * 4)).collect();
    format!("bytes={}", ranges.join(","))
}

fn right(expect: Expect, answer: &Answer, file: &[u8]) -> Verdict {
    ensure!(answer.broke_off.is_none(), "the body broke off: {:?}", answer.broke_off);
    let status = match expect {
        Whole => StatusCode::OK,
        One(..) | Many(_) => StatusCode::PARTIAL_CONTENT,
        Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
    };
    ensure!(answer.status == status, "{}, expected {status}", answer.status);
    let length = text(&answer.headers, CONTENT_LENGTH);
    ensure!(
        length.as_deref() == Some(answer.body.len().to_string().as_str()),
        "Content-Length says {length:?} of {} bytes",
        answer.body.len()
    );
    let content_range = text(&answer.headers, CONTENT_RANGE);
    match expect {
        Whole => {
            ensure!(answer.body == file, "other bytes than the file's");
            ensure!(content_range.is_none(), "200 with Content-Range {content_range:?}");
        }
        One(first, end) => {
            ensure!(answer.body == file[first..end], "other bytes than those asked for");
            let right = format!("bytes {first}-{}/{}", end - 1, file.len());
            ensure!(
                content_range.as_deref() == Some(&right),
                "Content-Range {content_range:?}, expected {right}"
            );
            same_fields(answer)?;
        }
        Many(parts) => {
            ensure!(content_range.is_none(), "several parts under one Content-Range");
            many_parts(answer, parts, file)?;
        }
        Unsatisfiable => {
            ensure!(answer.body.is_empty(), "416 with a body");
            let right = format!("bytes */{}", file.len());
            ensure!(
                content_range.as_deref() == Some(&right),
                "Content-Range {content_range:?}, expected {right}"
            );
        }
    }
    if status != StatusCode::OK {
        let accepts = text(&answer.headers, ACCEPT_RANGES);
        ensure!(accepts.as_deref() == Some("bytes"), "Accept-Ranges {accepts:?}");
    }
    Ok(())
}

/// A part is as dangerous as the whole: every field of the plan stands.
fn same_fields(answer: &Answer) -> Verdict {
    for (name, value) in &answer.plan {
        ensure!(answer.headers.get(name) == Some(value), "206 without {name}: {value:?}");
    }
    Ok(())
}

/// Reads `multipart/byteranges` by RFC 2046 section 5.1.
fn many_parts(answer: &Answer, expected: &[(usize, usize)], file: &[u8]) -> Verdict {
    let content_type = text(&answer.headers, CONTENT_TYPE).unwrap_or_default();
    let Some(boundary) = content_type.strip_prefix("multipart/byteranges; boundary=") else {
        return Err(format!("Content-Type {content_type:?}"));
    };
    ensure!((1..=70).contains(&boundary.len()), "a boundary of {} bytes", boundary.len());
    let file_type = text(&answer.plan, CONTENT_TYPE).unwrap_or_default();
    let mut rest = &answer.body[..];
    for (number, &(first, end)) in expected.iter().enumerate() {
        let line_break = if number == 0 { "" } else { "\r\n" };
        let framing = format!(
            "{line_break}--{boundary}\r\nContent-Type: {file_type}\r\nContent-Range: bytes {first}-{}/{}\r\n\r\n",
            end - 1,
            file.len()
        );
        rest = rest
            .strip_prefix(framing.as_bytes())
            .ok_or_else(|| format!("part {number} does not start with {framing:?}"))?;
        rest =
            rest.strip_prefix(&file[first..end]).ok_or_else(|| format!("part {number} has other bytes"))?;
    }
    ensure!(rest == format!("\r\n--{boundary}--\r\n").as_bytes(), "the last boundary is not the end");
    Ok(())
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next()?.to_str().ok()?.to_owned();
    lines.next().is_none().then_some(value)
}
