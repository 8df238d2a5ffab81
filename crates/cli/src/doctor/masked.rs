//! Probes of a bucket that the proxy fetches from.

use std::collections::BTreeSet;

use http::HeaderName;
use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::Canary;

use super::client::{Heard, Seen};
use super::direct::is_not_there;
use super::examination::Examination;
use super::faults;
use super::folder::{is, is_content, worst};
use super::report::{Verdict, fault, not_known};
use super::stranger;

/// Headers that tell of one file and its transfer. Those of the plan and those that every answer of the site has stand beside
/// them.
const OF_THE_FILE: [&str; 10] = [
    "accept-ranges",
    "age",
    "connection",
    "content-length",
    "content-range",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "transfer-encoding",
];

/// A bucket that the proxy fetches from.
#[derive(Debug, Clone)]
pub(super) struct Masked {
    pub(super) dialect: Dialect,
    pub(super) location: String,
    pub(super) origin: String,
}

impl Examination {
    fn fetched(&self, canary: Canary, headers: &[(&str, &str)]) -> Heard {
        self.client().probe(&format!("file/bucket/{}", canary.id()), headers)
    }

    /// The bucket behind the proxy.
    pub(super) fn masked(&mut self, masked: &Masked, proven: bool) {
        let label = Some(masked.location.as_str());
        let heard = self.fetched(Canary::Plain, &[]);
        let right = proven && heard.is(|seen| is(seen, Canary::Plain) && seen.shown().is_none());
        let verdict = if proven {
            self.judge(&heard, right, |seen| masked.not_delivered(seen))
        } else {
            not_known("without the proof nothing is handed off")
        };
        self.row("hand-off", label, verdict);
        if right {
            self.files_of(masked, &heard);
        }
        self.private(masked, right);
        let verdict = self.location_of(masked);
        self.row("direct access", label, verdict);
        let changed = self.client().probe("changed/bucket/plain", &[]);
        let refused = changed.is(|seen| seen.status >= 400 && seen.shown().is_none());
        let verdict = match self.judge_refusal(&changed, refused, |_| masked.unguarded()) {
            Verdict::Pass if !right => not_known("nothing is handed off, so a refusal says nothing"),
            verdict => verdict,
        };
        self.row("status behind a hand-off", label, verdict);
    }

    fn files_of(&mut self, masked: &Masked, plain: &Heard) {
        let label = Some(masked.location.as_str());
        let odd = self.fetched(Canary::Odd, &[]);
        let verdict = self.judge(&odd, odd.is(|seen| is(seen, Canary::Odd)), |_| masked.wrong_target());
        self.row("escaping", label, verdict);
        let verdict = self.kept("bucket", plain, |lost| masked.headers_lost(lost));
        self.row("headers", label, verdict);
        let verdict = self.compression("file/bucket/plain", |found| masked.compressed(found));
        self.row("no compression", label, verdict);
        let content = Canary::Plain.content().unwrap_or_default();
        let part = self.fetched(Canary::Plain, &[("range", "bytes=3-9")]);
        let right = part.is(|seen| seen.status == 206 && seen.body == content[3..10]);
        let verdict = self.judge(&part, right, |_| masked.ranges());
        self.row("ranges", label, verdict);
        self.head_then_get("file/bucket/plain", label, || masked.head_has_a_body());
        let missing = self.fetched(Canary::Missing, &[]);
        // A store answers 403 for a missing key to users that may not list it, which the proxy makes 502.
        let right = missing.is(|seen| matches!(seen.status, 404 | 502) && !masked.is_named_by(seen));
        let verdict = self.judge_refusal(&missing, right, |_| masked.error_shown());
        self.row("missing file", label, verdict);
        let shown = [plain, &part, &missing].map(|heard| self.shown(masked, heard));
        self.row("nothing of the bucket shows", label, worst(shown));
    }

    /// An answer may have the file's headers, the plan's, and those that every answer of the site has.
    fn shown(&self, masked: &Masked, heard: &Heard) -> Verdict {
        let usual = self.client().probe("echo", &[]);
        let plan = self.client().probe("plan/bucket/plain", &[]).told();
        let (Ok(seen), Ok(usual), Some(plan)) = (&heard.answer, &usual.answer, plan) else {
            return not_known("there is no answer to compare with");
        };
        let planned: BTreeSet<&str> =
            plan.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        let explained = |name: &HeaderName| {
            // A proxy that names itself on files, and no server on what the application answers, shows nothing.
            let named = seen.header("server").unwrap_or_default().to_ascii_lowercase();
            let of_proxy = *name == http::header::SERVER && named.starts_with(masked.dialect.name());
            let same = *name != http::header::SERVER || usual.headers.get(name) == seen.headers.get(name);
            let of_every_answer = of_proxy || same && usual.headers.contains_key(name);
            of_every_answer || OF_THE_FILE.contains(&name.as_str()) || planned.contains(name.as_str())
        };
        let names = seen.headers.keys().filter(|name| !explained(name) || masked.is_in(seen, name));
        let names: Vec<String> = names.map(ToString::to_string).collect();
        if !names.is_empty() {
            return fault(format!("the client sees {}", names.join(", ")), masked.shown(&names));
        }
        if seen.status >= 300 && masked.is_named_by(seen) {
            return fault("the client sees the bucket's own page".to_owned(), masked.error_shown());
        }
        Verdict::Pass
    }

    /// The bucket refuses what is not signed. The proxy asks, since clients may not reach the bucket.
    fn private(&mut self, masked: &Masked, handed_off: bool) {
        let heard = self.client().probe("unsigned/bucket/plain", &[]);
        let given = heard.is(|seen| is_content(seen, Canary::Plain));
        let verdict = match self.judge_refusal(&heard, !given, |_| vec![faults::world_readable()]) {
            Verdict::Pass if !handed_off => not_known("signed URLs do not work either"),
            Verdict::Pass if !heard.is(|seen| matches!(seen.status, 403 | 404 | 502)) => {
                not_known(stranger::introduce(&heard.answer))
            }
            verdict => verdict,
        };
        self.row(faults::PRIVATE, Some(&masked.location), verdict);
    }

    fn location_of(&self, masked: &Masked) -> Verdict {
        let mut verdict = Verdict::Pass;
        for path in self.client().site().places(&masked.location) {
            let answer = self.client().request("GET", &path);
            match &answer {
                Ok(seen) if masked.is_named_by(seen) || is_content(seen, Canary::Plain) => {
                    return fault(seen.describe(), masked.public());
                }
                Ok(seen) if is_not_there(seen) => {}
                // An internal location of nginx answers 404, and this one asks no application that could fail.
                Ok(seen) if masked.dialect == Dialect::Nginx && matches!(seen.status, 500 | 502) => {
                    return fault(seen.describe(), masked.public());
                }
                _ => verdict = not_known(format!("{path}: {}", stranger::introduce(&answer))),
            }
        }
        verdict
    }
}

impl Masked {
    pub(super) fn host(&self) -> &str {
        self.origin.split_once("://").map_or(self.origin.as_str(), |(_, authority)| authority)
    }

    /// Whether one header has the bucket's address in its value.
    fn is_in(&self, seen: &Seen, name: &HeaderName) -> bool {
        let values = seen.headers.get_all(name);
        values.iter().any(|value| String::from_utf8_lossy(value.as_bytes()).contains(self.host()))
    }

    /// Whether an answer holds the bucket's address, or is a store's own page.
    pub(super) fn is_named_by(&self, seen: &Seen) -> bool {
        let text = seen.text();
        seen.headers.keys().any(|name| self.is_in(seen, name))
            || seen.status >= 300 && (text.contains("<Error>") || text.contains(self.host()))
    }
}
