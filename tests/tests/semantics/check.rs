//! Whether an answer is the expected one, to the last field and byte. Knows nothing of how answers are made.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use system_tests::Answer;

use crate::case::{Case, Expect};
use crate::files::{self, CACHED, OLD, SPARSE, SPARSE_LENGTH};

/// What is known of a file before the table runs: its length and the answer to a plain HEAD.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) length: u64,
    pub(crate) head: Answer,
}

impl Known {
    /// The lines of a case's request, placeholders filled in.
    pub(crate) fn fields(&self, case: &Case) -> Vec<String> {
        let etag = self.head.field("etag").unwrap_or_default();
        let opaque = etag.trim_start_matches("W/").trim_matches('"');
        let modified = self.head.field("last-modified").unwrap_or_default();
        let fill = |line: &&str| {
            line.replace("{etag}", etag).replace("{opaque}", opaque).replace("{modified}", modified)
        };
        case.fields.iter().map(fill).collect()
    }
}

/// Says what is wrong.
pub(crate) fn check(case: &Case, known: &Known, answer: &Answer) -> Result<(), String> {
    let check = Check { case, known, answer };
    let checked = match case.expect {
        Expect::Whole => check.whole(),
        Expect::Partial(first, last) => check.partial(first, last),
        Expect::Parts(ranges) => check.parts(ranges),
        Expect::Unsatisfiable => check.unsatisfiable(),
        Expect::NotModified => check.not_modified(),
        Expect::Failed => check.bare(StatusCode::PRECONDITION_FAILED),
        Expect::NotFound => check.refused(StatusCode::NOT_FOUND),
        Expect::NotAllowed => check.refused(StatusCode::METHOD_NOT_ALLOWED),
    };
    checked.and_then(|()| check.always())
}

/// Bytes of a file by position.
fn bytes(file: &str, first: u64, last: u64) -> Vec<u8> {
    let contents = files::contents(file);
    let hole = if file == SPARSE { SPARSE_LENGTH - 1_000 } else { 0 };
    (first..=last)
        .map(|at| at.checked_sub(hole).map_or(0, |at| contents[usize::try_from(at).expect("small")]))
        .collect()
}

struct Check<'a> {
    case: &'a Case,
    known: &'a Known,
    answer: &'a Answer,
}

impl Check<'_> {
    fn status(&self, status: StatusCode) -> Result<(), String> {
        equal("status", &self.answer.status, &status)
    }

    fn field(&self, name: &str, value: Option<&str>) -> Result<(), String> {
        equal(name, &self.answer.field(name), &value)
    }

    fn absent(&self, names: &[&str]) -> Result<(), String> {
        names.iter().try_for_each(|name| self.field(name, None))
    }

    /// Every field of the plain 200, but for the named ones.
    fn as_the_whole(&self, but: &[&str]) -> Result<(), String> {
        for (name, value) in &self.known.head.headers {
            if name == "last-modified" && self.case.file == files::FUTURE {
                // Sent as the time of each answer.
            } else if name != "date" && !but.contains(&name.as_str()) {
                equal(name.as_str(), &self.answer.headers.get(name), &Some(value))?;
            }
        }
        Ok(())
    }

    fn body(&self, expected: &[u8]) -> Result<(), String> {
        let length = expected.len().to_string();
        self.field("content-length", Some(&length))?;
        let expected = if self.case.method == "HEAD" { &[] } else { expected };
        if self.answer.body == expected {
            Ok(())
        } else {
            Err(format!("another body of {} bytes", self.answer.body.len()))
        }
    }

    fn whole(&self) -> Result<(), String> {
        self.status(StatusCode::OK)?;
        self.field("content-type", Some("text/plain"))?;
        self.field("accept-ranges", Some("bytes"))?;
        self.field("content-length", Some(&self.known.length.to_string()))?;
        self.absent(&["content-range"])?;
        self.as_the_whole(&[])?;
        equal("ETag is sent", &self.answer.headers.contains_key("etag"), &true)?;
        let dated = self.answer.headers.contains_key("last-modified");
        equal("Last-Modified is sent", &dated, &(self.case.file != OLD))?;
        let cached = self.case.file == CACHED;
        let cache = if cached { "private, max-age=60" } else { "private, no-store" };
        self.field("cache-control", Some(cache))?;
        self.field("vary", cached.then_some("Cookie, Authorization"))?;
        if self.case.method == "HEAD" {
            return equal("body", &self.answer.body.len(), &0);
        }
        self.body(&files::contents(self.case.file))
    }

    fn partial(&self, first: u64, last: u64) -> Result<(), String> {
        self.status(StatusCode::PARTIAL_CONTENT)?;
        let range = format!("bytes {first}-{last}/{}", self.known.length);
        self.field("content-range", Some(&range))?;
        self.as_the_whole(&["content-length"])?;
        self.body(&bytes(self.case.file, first, last))
    }

    fn parts(&self, ranges: &[(u64, u64)]) -> Result<(), String> {
        self.status(StatusCode::PARTIAL_CONTENT)?;
        self.absent(&["content-range"])?;
        self.as_the_whole(&["content-length", "content-type"])?;
        self.field("content-length", Some(&self.answer.body.len().to_string()))?;
        let expected: Vec<_> = ranges
            .iter()
            .map(|&(first, last)| {
                let range = format!("bytes {first}-{last}/{}", self.known.length);
                ("text/plain".to_owned(), range, bytes(self.case.file, first, last))
            })
            .collect();
        equal("parts", &self.answer.byteranges(), &expected)
    }

    fn unsatisfiable(&self) -> Result<(), String> {
        self.field("content-range", Some(&format!("bytes */{}", self.known.length)))?;
        self.field("accept-ranges", Some("bytes"))?;
        self.bare(StatusCode::RANGE_NOT_SATISFIABLE)
    }

    fn not_modified(&self) -> Result<(), String> {
        self.status(StatusCode::NOT_MODIFIED)?;
        // Section 15.4.5: what the 200 would have had of these.
        for name in ["cache-control", "etag", "vary", "cdn-cache-control"] {
            self.field(name, self.known.head.field(name))?;
        }
        self.absent(&[
            "accept-ranges",
            "content-disposition",
            "content-length",
            "content-range",
            "content-type",
            "last-modified",
        ])?;
        equal("body", &self.answer.body.len(), &0)
    }

    /// An answer about the request: nothing in it describes the file.
    fn bare(&self, status: StatusCode) -> Result<(), String> {
        self.status(status)?;
        self.field("cache-control", Some("no-store"))?;
        self.absent(&["etag", "last-modified", "content-type", "content-disposition", "vary"])?;
        self.body(&[])
    }

    fn refused(&self, status: StatusCode) -> Result<(), String> {
        self.status(status)?;
        self.field("allow", (status == StatusCode::METHOD_NOT_ALLOWED).then_some("GET, HEAD"))?;
        self.field("cache-control", Some("no-store"))?;
        self.absent(&["etag", "last-modified", "content-range", "accept-ranges", "content-disposition"])?;
        self.body(format!("{status}\n").as_bytes())
    }

    /// What holds of every answer.
    fn always(&self) -> Result<(), String> {
        let date = self.answer.field("date").ok_or("no Date")?;
        let date = httpdate::parse_http_date(date).map_err(|_| format!("Date: {date}"))?;
        let age = SystemTime::now().duration_since(date).unwrap_or_default();
        equal("Date is now", &(age < Duration::from_secs(120)), &true)?;
        if let Some(modified) = self.answer.field("last-modified") {
            let modified =
                httpdate::parse_http_date(modified).map_err(|_| format!("Last-Modified: {modified}"))?;
            equal("Last-Modified is not later than Date", &(modified <= date), &true)?;
        }
        Ok(())
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} and not {expected:?}")) }
}
