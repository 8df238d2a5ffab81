//! Probes of one folder of the mapping.

use http::HeaderValue;
use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::{Canary, outside_targets};

use super::bare::{self, Behind};
use super::client::{Heard, Seen};
use super::examination::Examination;
use super::faults::{Compressed, Fault, Suspects};
use super::report::{Verdict, fault, not_known};

/// Compressors that proxies know, by their names in `Content-Encoding`.
const ENCODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

const NO_FILE: &str = "no file is handed off, so a refusal says nothing";

impl Examination {
    pub(super) fn folder(&mut self, index: usize, root: &Suspects, proven: bool) {
        let handed_off = proven && self.hand_off(index, root);
        if handed_off {
            self.escaping(index, root);
            self.headers(index, root);
            self.ranges(index, root);
            self.conditions(index, root);
            self.head_then_get(&format!("file/{index}/plain"), root.label(), || root.head_has_a_body());
            self.missing(index, root);
        } else {
            let why =
                if proven { "no file is handed off" } else { "without the proof nothing is handed off" };
            self.row("files", root.label(), not_known(why));
        }
        self.links(index, root, handed_off);
        self.outside(index, root, handed_off);
        self.direct(index, root);
        self.changed_status(index, root, handed_off);
    }

    fn file(&self, root: usize, canary: Canary, headers: &[(&str, &str)]) -> Heard {
        self.client().probe(&format!("file/{root}/{}", canary.id()), headers)
    }

    fn hand_off(&mut self, index: usize, root: &Suspects) -> bool {
        let heard = self.file(index, Canary::Plain, &[]);
        let right = heard.is(|seen| is(seen, Canary::Plain) && seen.shown().is_none());
        let calls = self.client().arrived(&heard).unwrap_or_default();
        let verdict = self.judge(&heard, right, |seen| root.not_delivered(seen, calls));
        self.row("hand-off", root.label(), verdict);
        right
    }

    fn escaping(&mut self, index: usize, root: &Suspects) {
        let heard = self.file(index, Canary::Odd, &[]);
        let right = heard.is(|seen| is(seen, Canary::Odd));
        let verdict = self.judge(&heard, right, |seen| root.wrong_escaping(seen));
        self.row("escaping", root.label(), verdict);
    }

    fn headers(&mut self, index: usize, root: &Suspects) {
        let heard = self.file(index, Canary::Plain, &[]);
        let verdict = self.kept(&index.to_string(), &heard, |lost| root.headers_lost(lost));
        self.row("headers", root.label(), verdict);
        let verdict = self.compression(&format!("file/{index}/plain"), |found| root.compressed(found));
        self.row("no compression", root.label(), verdict);
        let long = self.client().probe(&format!("long/{index}/plain"), &[]);
        let right = long.is(|seen| is(seen, Canary::Plain));
        let verdict = self.judge(&long, right, |_| root.too_long());
        self.row("long headers", root.label(), verdict);
    }

    /// Whether the plan's headers arrive as they were sent; `root` is what the doctor's paths call it.
    pub(super) fn kept(
        &self,
        root: &str,
        heard: &Heard,
        faults: impl FnOnce(&[String]) -> Vec<Fault>,
    ) -> Verdict {
        let Some(plan) = self.client().probe(&format!("plan/{root}/plain"), &[]).told() else {
            return not_known("the application does not say what it sent");
        };
        let lines = plan.lines().filter_map(|line| line.split_once(": "));
        let lost = |seen: &Seen| -> Vec<String> {
            let lost = lines.filter(|(name, value)| !arrived(seen, name, value));
            lost.map(|(name, _)| name.to_owned()).collect()
        };
        let lost = heard.answer.as_ref().map(lost).unwrap_or_default();
        let right = lost.is_empty() && heard.is(|seen| is(seen, Canary::Plain));
        self.judge(heard, right, |_| faults(&lost))
    }

    /// Asks for each encoding alone: a proxy that knows several answers with one.
    pub(super) fn compression(
        &self,
        probe: &str,
        faults: impl FnOnce(&[Compressed]) -> Vec<Fault>,
    ) -> Verdict {
        let (mut found, mut other) = (Vec::new(), None);
        for encoding in ENCODINGS {
            let heard = self.client().probe(probe, &[("accept-encoding", encoding)]);
            if heard.is(|seen| seen.headers.contains_key("content-encoding")) {
                let packed = heard.is(|seen| Canary::is_packed(&seen.body));
                found.push(Compressed { encoding, packed });
            } else if !heard.is(|seen| is(seen, Canary::Plain)) {
                other = Some(heard);
            }
        }
        match (found.as_slice(), other) {
            ([], None) => Verdict::Pass,
            ([], Some(heard)) => self.judge(&heard, false, |_| faults(&[])),
            (found, _) => {
                let names: Vec<_> = found.iter().map(|found| found.encoding).collect();
                fault(format!("the file comes as {}", names.join(", ")), faults(found))
            }
        }
    }

    fn ranges(&mut self, index: usize, root: &Suspects) {
        let content = Canary::Plain.content().unwrap_or_default();
        let ask = |headers: &[(&str, &str)]| self.file(index, Canary::Plain, headers);
        let part = ask(&[("range", "bytes=3-9")]);
        let stale = ask(&[("range", "bytes=3-9"), ("if-range", "\"stale\"")]);
        let beyond = ask(&[("range", "bytes=999999-")]);
        let verdicts = [
            self.judge(&part, part.is(|seen| seen.status == 206 && seen.body == content[3..10]), |_| {
                root.ranges()
            }),
            self.judge(&stale, stale.is(|seen| is(seen, Canary::Plain)), |_| root.ranges()),
            self.judge_refusal(&beyond, beyond.is(|seen| seen.status == 416), |_| root.ranges()),
        ];
        self.row("ranges", root.label(), worst(verdicts));
    }

    fn conditions(&mut self, index: usize, root: &Suspects) {
        let given = self.file(index, Canary::Plain, &[]);
        let other = self.file(index, Canary::Other, &[]);
        let (of_given, of_other) = (
            self.judge(&given, given.is(|seen| is(seen, Canary::Plain)), |_| root.conditions()),
            self.judge(&other, other.is(|seen| is(seen, Canary::Other)), |_| root.conditions()),
        );
        let header = |heard: &Heard, name: &str| {
            heard.answer.as_ref().ok().and_then(|seen| seen.header(name).map(str::to_owned))
        };
        let (tag, date) = (header(&given, "etag"), header(&given, "last-modified"));
        let expect = |name: &str, value: &Option<String>, status: u16| match value {
            None => Verdict::Pass,
            Some(value) => {
                let heard = self.file(index, Canary::Plain, &[(name, value)]);
                self.judge_refusal(&heard, heard.is(|seen| seen.status == status), |_| root.conditions())
            }
        };
        let conditions = [
            of_given,
            expect("if-modified-since", &date, 304),
            expect("if-none-match", &tag, 304),
            expect("if-match", &tag.clone().filter(|tag| !tag.starts_with("W/")), 200),
        ];
        let conditions = worst(conditions);
        let tags = match &tag {
            _ if !matches!(of_other, Verdict::Pass) => of_other,
            Some(tag) if header(&other, "etag").as_ref() == Some(tag) => {
                fault(format!("two files have the entity tag {tag:?}"), root.same_tag())
            }
            Some(tag) => {
                let mistaken = self.file(index, Canary::Other, &[("if-none-match", tag)]);
                let right = mistaken.is(|seen| is(seen, Canary::Other));
                self.judge(&mistaken, right, |_| root.same_tag())
            }
            None => Verdict::Pass,
        };
        self.row("conditions", root.label(), conditions);
        self.row("entity tags", root.label(), tags);
    }

    pub(super) fn head_then_get(
        &mut self,
        probe: &str,
        label: Option<&str>,
        faults: impl FnOnce() -> Vec<Fault>,
    ) {
        let verdict = match bare::head_then_get(self.client(), probe) {
            Behind::Answer => Verdict::Pass,
            Behind::End => Verdict::DoesNotApply("the proxy does not keep connections".to_owned()),
            Behind::Unknown(why) => not_known(why),
            Behind::Bytes => fault("bytes behind the answer to HEAD".to_owned(), faults()),
        };
        self.row("HEAD on a kept connection", label, verdict);
    }

    fn missing(&mut self, index: usize, root: &Suspects) {
        let heard = self.file(index, Canary::Missing, &[]);
        let calls = self.client().arrived(&heard).unwrap_or_default();
        let right = heard.is(|seen| seen.status == 404) && calls == 1;
        let verdict = self.judge(&heard, right, |_| match calls {
            0 | 1 => root.missing(),
            _ => vec![root.nginx_error_page()],
        });
        self.row("missing file", root.label(), verdict);
    }

    fn links(&mut self, index: usize, root: &Suspects, handed_off: bool) {
        let verdict = match root.dialect {
            Dialect::Caddy | Dialect::Apache => {
                Verdict::DoesNotApply(format!("{} follows them and has no switch for it", root.dialect))
            }
            _ => {
                let heard = self.file(index, Canary::Link, &[]);
                let followed = heard.is(|seen| {
                    (200..300).contains(&seen.status) && !seen.body.is_empty() && seen.shown().is_none()
                });
                match self.judge_refusal(&heard, !followed, |_| root.links()) {
                    Verdict::Pass if !handed_off => not_known(NO_FILE),
                    Verdict::Pass if !heard.is(|seen| seen.status == 403) => {
                        not_known("the canary that is a symbolic link is not there")
                    }
                    verdict => verdict,
                }
            }
        };
        self.row("symbolic links", root.label(), verdict);
    }

    fn outside(&mut self, index: usize, root: &Suspects, handed_off: bool) {
        let targets = outside_targets(root.dialect, &root.location, &root.folder);
        let verdicts = (0..targets.len()).map(|target| {
            let heard = self.client().probe(&format!("outside/{index}/{target}"), &[]);
            let sent = heard.is(|seen| (200..300).contains(&seen.status) && !seen.body.is_empty());
            match self.judge_refusal(&heard, !sent, |_| root.outside()) {
                Verdict::Pass if !handed_off || !heard.is(|seen| seen.status >= 400) => not_known(NO_FILE),
                verdict => verdict,
            }
        });
        let verdict = worst(verdicts.collect::<Vec<_>>());
        self.row("outside of the folder", root.label(), verdict);
    }

    fn changed_status(&mut self, index: usize, root: &Suspects, handed_off: bool) {
        let heard = self.client().probe(&format!("changed/{index}/plain"), &[]);
        let carries = |seen: &Seen| seen.status == 200 || is_content(seen, Canary::Plain);
        let right = heard.is(|seen| !carries(seen) && seen.shown().is_none());
        let verdict = match self.judge_refusal(&heard, right, |_| root.unguarded()) {
            Verdict::Pass if !handed_off => not_known(NO_FILE),
            verdict => verdict,
        };
        self.row("status behind a hand-off", root.label(), verdict);
    }
}

/// A fault before what is not known, and that before a pass.
pub(super) fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Faults { .. } => 2,
        Verdict::NotKnown(_) => 1,
        _ => 0,
    };
    verdicts.into_iter().max_by_key(rank).unwrap_or(Verdict::Pass)
}

pub(super) fn is(seen: &Seen, canary: Canary) -> bool {
    seen.status == 200 && is_content(seen, canary)
}

pub(super) fn is_content(seen: &Seen, canary: Canary) -> bool {
    canary.content().as_ref() == Some(&seen.body)
}

/// Whether a header arrived, and none that contradicts it; spaces apart, for Apache takes those between members away. More
/// lines of a list only add to it, and a second content security policy only forbids more.
fn arrived(seen: &Seen, name: &str, value: &str) -> bool {
    let plain = |text: &str| text.replace(", ", ",");
    let mut lines = seen.headers.get_all(name).iter();
    let same = |line: &HeaderValue| line.to_str().is_ok_and(|line| plain(line) == plain(value));
    match name {
        "content-security-policy" | "vary" => lines.any(same),
        _ => seen.headers.contains_key(name) && lines.all(same),
    }
}
