//! [`Examination`]: what is asked for, and what must come back.

use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::{Canary, outside_targets};
use serde_json::Value;

use super::bucket::{self, Masked};
use super::client::{Client, Seen};
use super::faults::{self, Fault, Suspects};
use super::keep_alive::{self, Behind};
use super::report::{Report, Row, Verdict};

/// What no client may tell the application.
const SPOOFED: [(&str, &str); 8] = [
    ("x-accel-redirect", "/x"),
    ("x-accel-limit-rate", "1"),
    ("x-accel-mapping", "/=/"),
    ("x-sendfile", "/x"),
    ("x-sendfile-type", "x"),
    ("x-store-path", "/x"),
    ("x-store-query", "x"),
    ("x-secure-download-proof", "ffffffffffffffffffffffffffffffff"),
];

/// The layer in front answered, but not what was asked for.
pub(super) type Answered = Result<Seen, String>;

/// What the application says of itself.
struct Described {
    dialect: Option<Dialect>,
    roots: Vec<Suspects>,
    masked: Option<Masked>,
    bucket: bool,
}

impl Described {
    fn read(described: &Value) -> Option<Self> {
        let dialect = match described["dialect"].as_str() {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        let text = |value: &Value| Some(value.as_str()?.to_owned());
        let mut roots = Vec::new();
        for root in described["roots"].as_array()? {
            let (location, folder) = (text(&root["location"])?, text(&root["folder"])?);
            roots.push(Suspects { dialect: dialect?, location, folder });
        }
        let masked = match &described["masked"] {
            Value::Null => None,
            masked => Some(Masked {
                dialect: dialect?,
                location: text(&masked["location"])?,
                origin: text(&masked["origin"])?,
            }),
        };
        Some(Self { dialect, roots, masked, bucket: described["bucket"].as_bool().unwrap_or_default() })
    }
}

/// One examination of one deployment. It spends its token.
#[derive(Debug)]
pub struct Examination {
    client: Client,
    token: String,
    rows: Vec<Row>,
}

impl Examination {
    /// Of the application that clients reach at `url`.
    ///
    /// # Errors
    /// If `url` is none of HTTP.
    pub fn new(url: &str, token: &str) -> Result<Self, String> {
        Ok(Self { client: Client::new(url)?, token: token.to_owned(), rows: Vec::new() })
    }

    /// Runs every probe.
    #[must_use]
    pub fn run(mut self) -> Report {
        match self.open() {
            Ok(described) => self.examine(&described),
            Err(verdict) => self.row("reach the application", None, verdict),
        }
        Report::new(self.rows)
    }

    pub(super) fn row(&mut self, probe: &'static str, root: Option<&str>, verdict: Verdict) {
        self.rows.push(Row { probe, root: root.map(str::to_owned), verdict });
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn open(&self) -> Result<Described, Verdict> {
        let seen = self.client.open(&self.token);
        let parsed = seen
            .as_ref()
            .ok()
            .filter(|seen| seen.status == 200)
            .and_then(|seen| Described::read(&serde_json::from_slice(&seen.body).ok()?));
        parsed.ok_or_else(|| match seen {
            Ok(seen) => Verdict::Faults { seen: seen.describe(), faults: faults::unreached(&seen) },
            Err(error) => Verdict::Faults {
                seen: error,
                faults: vec![Fault {
                    id: "unreachable",
                    what: "nobody answers at this address".to_owned(),
                    mend: "start the proxy, or give the URL that clients use".to_owned(),
                }],
            },
        })
    }

    fn examine(&mut self, described: &Described) {
        self.row("reach the application", None, Verdict::Pass);
        if let Some(dialect) = described.dialect {
            self.examine_proxy(dialect, described);
        }
        if described.bucket {
            self.bucket();
        } else {
            for probe in [bucket::PRIVATE, bucket::CLOCK] {
                self.row(probe, None, Verdict::NotRun("there is no bucket".to_owned()));
            }
        }
    }

    fn examine_proxy(&mut self, dialect: Dialect, described: &Described) {
        let proven = self.requests(dialect);
        self.statuses(dialect);
        let without = || Verdict::NotRun("without the proof nothing is handed off".to_owned());
        if let Some(masked) = &described.masked {
            if proven {
                self.masked(masked);
            } else {
                self.row("hand-off", Some(&masked.location), without());
            }
        }
        for (index, root) in described.roots.iter().enumerate() {
            if !proven {
                self.row("hand-off", root.label(), without());
                continue;
            }
            if self.hand_off(index, root) {
                self.escaping(index, root);
                self.headers(index, root);
                self.ranges_and_conditions(index, root);
                self.keep_alive(index, root);
                self.missing(index, root);
                self.links(index, root);
            } else {
                self.row("files", root.label(), Verdict::NotRun("no file is handed off".to_owned()));
            }
            self.outside(index, root);
            self.direct(root);
            self.changed_status(index, root);
        }
    }

    /// What of a request reaches the application.
    fn requests(&mut self, dialect: Dialect) -> bool {
        let plain = self.client.probe("echo", &[]).map(|seen| seen.text()).unwrap_or_default();
        let proof =
            plain.lines().find_map(|line| line.strip_prefix("proof: ")).unwrap_or("absent").to_owned();
        let seen = self.client.probe("echo", &SPOOFED).map(|seen| seen.text()).unwrap_or_default();
        let under_attack = seen.lines().find_map(|line| line.strip_prefix("proof: ")).unwrap_or("absent");
        let worst = if proof == "right" { under_attack } else { proof.as_str() };
        let verdict = match worst {
            "right" => Verdict::Pass,
            other => Verdict::Faults {
                seen: format!("the proof is {other}"),
                faults: faults::unproven(dialect, other),
            },
        };
        self.row("proof of proxy", None, verdict);
        let names: Vec<_> = seen.lines().filter_map(|line| line.strip_prefix("spoofed: ")).collect();
        let verdict = pass_if(names.is_empty(), || {
            (format!("the application sees {}", names.join(", ")), faults::spoofable(dialect, &names))
        });
        self.row("spoofed headers", None, verdict);
        proof == "right"
    }

    fn statuses(&mut self, dialect: Dialect) {
        let mut wrong = Vec::new();
        for status in [200, 403, 404, 503] {
            match self.client.probe(&format!("status/{status}"), &[]) {
                Ok(seen) if seen.status == status && seen.text() == format!("status {status}\n") => {}
                Ok(seen) => wrong.push(format!("{status} arrives as {}", seen.describe())),
                Err(error) => wrong.push(format!("{status}: {error}")),
            }
        }
        let verdict = pass_if(wrong.is_empty(), || (wrong.join("; "), faults::status_rewritten(dialect)));
        self.row("status", None, verdict);
    }

    fn file(&self, root: usize, canary: Canary, fields: &[(&str, &str)]) -> Answered {
        self.client.probe(&format!("file/{root}/{}", canary.id()), fields)
    }

    fn calls(&self, root: usize, canary: Canary) -> u64 {
        let seen = self.client.probe(&format!("calls/{root}/{}", canary.id()), &[]);
        seen.ok().and_then(|seen| seen.text().trim().parse().ok()).unwrap_or_default()
    }

    fn hand_off(&mut self, index: usize, root: &Suspects) -> bool {
        let seen = self.file(index, Canary::Plain, &[]);
        let calls = self.calls(index, Canary::Plain);
        let right = seen.as_ref().is_ok_and(|seen| is(seen, Canary::Plain) && seen.shown().is_none());
        let verdict = judge(&seen, right, |seen| root.not_delivered(seen, calls));
        self.row("hand-off", root.label(), verdict);
        right
    }

    fn escaping(&mut self, index: usize, root: &Suspects) {
        let seen = self.file(index, Canary::Odd, &[]);
        let right = seen.as_ref().is_ok_and(|seen| is(seen, Canary::Odd));
        self.row("escaping", root.label(), judge(&seen, right, |seen| root.wrong_escaping(seen)));
    }

    fn headers(&mut self, index: usize, root: &Suspects) {
        let seen = self.file(index, Canary::Plain, &[("accept-encoding", "gzip, br, zstd")]);
        let lost = self.lost(&index.to_string(), &seen);
        self.row("headers", root.label(), judge(&seen, lost.is_empty(), |_| root.headers_lost(&lost)));
        let right = seen.as_ref().is_ok_and(|seen| seen.field("content-encoding").is_none());
        self.row("no compression", root.label(), judge(&seen, right, |_| root.compressed()));
        let long = self.client.probe(&format!("long/{index}/plain"), &[]);
        let right = long.as_ref().is_ok_and(|seen| is(seen, Canary::Plain));
        self.row("long headers", root.label(), judge(&long, right, |_| root.too_long()));
    }

    /// Headers of the plan that did not arrive as they were sent; `root` is what the doctor's paths call it.
    pub(super) fn lost(&self, root: &str, seen: &Answered) -> Vec<String> {
        let plan = self.client.probe(&format!("plan/{root}/plain"), &[]).map(|plan| plan.text());
        match (&plan, seen) {
            (Ok(plan), Ok(seen)) => plan
                .lines()
                .filter_map(|line| line.split_once(": "))
                .filter(|(name, value)| !arrived(seen, name, value))
                .map(|(name, _)| name.to_owned())
                .collect(),
            _ => vec!["all".to_owned()],
        }
    }

    fn ranges_and_conditions(&mut self, index: usize, root: &Suspects) {
        let content = Canary::Plain.content().unwrap_or_default();
        let ask = |canary, fields: &[(&str, &str)]| self.file(index, canary, fields);
        let part = ask(Canary::Plain, &[("range", "bytes=3-9")]);
        let stale = ask(Canary::Plain, &[("range", "bytes=3-9"), ("if-range", "\"stale\"")]);
        let beyond = ask(Canary::Plain, &[("range", "bytes=999999-")]);
        let right = matches!((&part, &stale, &beyond), (Ok(part), Ok(stale), Ok(beyond))
            if part.status == 206 && part.body == content[3..10] && is(stale, Canary::Plain) && beyond.status == 416);
        let ranges = judge(&part, right, |_| root.ranges());

        let given = ask(Canary::Plain, &[]);
        let other = ask(Canary::Other, &[]);
        let field =
            |seen: &Answered, name| seen.as_ref().ok().and_then(|seen| seen.field(name).map(str::to_owned));
        let (tag, date) = (field(&given, "etag"), field(&given, "last-modified"));
        let mut wrong = Vec::new();
        let mut expect = |name: &str, value: &Option<String>, status: u16| {
            if let Some(value) = value {
                match ask(Canary::Plain, &[(name, value)]) {
                    Ok(seen) if seen.status == status => {}
                    Ok(seen) => wrong.push(format!("{name}: {value} gives {}", seen.status)),
                    Err(error) => wrong.push(format!("{name}: {error}")),
                }
            }
        };
        expect("if-modified-since", &date, 304);
        expect("if-none-match", &tag, 304);
        expect("if-match", &tag.clone().filter(|tag| !tag.starts_with("W/")), 200);
        let conditions = pass_if(wrong.is_empty(), || (wrong.join("; "), root.conditions()));

        let shared = tag.as_ref().is_some_and(|tag| {
            let mistaken = ask(Canary::Other, &[("if-none-match", tag)]).is_ok_and(|seen| seen.status == 304);
            mistaken || field(&other, "etag").as_ref() == Some(tag)
        });
        let tags = pass_if(!shared, || (format!("two files have the entity tag {tag:?}"), root.same_tag()));
        self.row("ranges", root.label(), ranges);
        self.row("conditions", root.label(), conditions);
        self.row("entity tags", root.label(), tags);
    }

    fn keep_alive(&mut self, index: usize, root: &Suspects) {
        let probe = format!("file/{index}/plain");
        let behind = keep_alive::head_then_get(self.client.base(), self.client.session(), &probe);
        let verdict = match behind {
            Behind::Answer => Verdict::Pass,
            Behind::Unknown(why) => Verdict::NotRun(why.to_owned()),
            Behind::Bytes => Verdict::Faults {
                seen: "bytes behind the answer to HEAD".to_owned(),
                faults: root.head_has_a_body(),
            },
        };
        self.row("HEAD on a kept connection", root.label(), verdict);
    }

    fn missing(&mut self, index: usize, root: &Suspects) {
        let seen = self.file(index, Canary::Missing, &[]);
        let calls = self.calls(index, Canary::Missing);
        let right = seen.as_ref().is_ok_and(|seen| seen.status == 404) && calls == 1;
        let verdict = judge(&seen, right, |_| match calls {
            0 | 1 => root.missing(),
            _ => vec![root.nginx_error_page()],
        });
        self.row("missing file", root.label(), verdict);
    }

    fn links(&mut self, index: usize, root: &Suspects) {
        let verdict = match root.dialect {
            Dialect::Caddy | Dialect::Apache => {
                Verdict::NotRun(format!("{} follows them and has no switch for it", root.dialect))
            }
            Dialect::Nginx | Dialect::Lighttpd => {
                let seen = self.file(index, Canary::Link, &[]);
                let right = seen.as_ref().is_ok_and(|seen| !seen.status.to_string().starts_with('2'));
                judge(&seen, right, |_| root.links())
            }
        };
        self.row("symbolic links", root.label(), verdict);
    }

    fn outside(&mut self, index: usize, root: &Suspects) {
        let targets = outside_targets(root.dialect, &root.location, &root.folder);
        let sent = (0..targets.len()).filter_map(|target| {
            let seen = self.client.probe(&format!("outside/{index}/{target}"), &[]).ok()?;
            (seen.status == 200 && !seen.body.is_empty()).then(|| seen.describe())
        });
        let sent: Vec<_> = sent.collect();
        let verdict = pass_if(sent.is_empty(), || (sent.join("; "), root.outside()));
        self.row("outside of the folder", root.label(), verdict);
    }

    fn direct(&mut self, root: &Suspects) {
        let path = Canary::Plain.path();
        let name = root.folder.rsplit('/').next().unwrap_or_default();
        let served = |path: &str| self.client.get(path).is_ok_and(|seen| is(&seen, Canary::Plain));
        let by_location = served(&format!("{}/{path}", root.location));
        let by_folder = served(&format!("/{path}")) || served(&format!("/{name}/{path}"));
        let open = pass_if(!by_location && !by_folder, || {
            ("the canary is there for everybody".to_owned(), root.public(by_location))
        });
        self.row("direct access", root.label(), open);
        if root.dialect == Dialect::Nginx {
            let by_nginx = |path: String| self.client.get(&path).is_ok_and(|seen| seen.is_page_of_nginx());
            let taken = by_nginx(format!("{}-sibling/x", root.location))
                && !by_nginx("/sibling-of-none/x".to_owned());
            let verdict =
                pass_if(!taken, || ("nginx takes a sibling of the location".to_owned(), root.nginx_slash()));
            self.row("siblings", root.label(), verdict);
        }
    }

    fn changed_status(&mut self, index: usize, root: &Suspects) {
        let seen = self.client.probe(&format!("changed/{index}/plain"), &[]);
        let carries =
            |seen: &Seen| seen.status == 200 || !seen.body.is_empty() && is_content(seen, Canary::Plain);
        let right = seen.as_ref().is_ok_and(|seen| !carries(seen) && seen.shown().is_none());
        self.row("status behind a hand-off", root.label(), judge(&seen, right, |_| root.unguarded()));
    }
}

pub(super) fn pass_if(right: bool, fault: impl FnOnce() -> (String, Vec<Fault>)) -> Verdict {
    if right {
        return Verdict::Pass;
    }
    let (seen, mut faults) = fault();
    faults.truncate(3);
    Verdict::Faults { seen, faults }
}

pub(super) fn judge(seen: &Answered, right: bool, faults: impl FnOnce(&Seen) -> Vec<Fault>) -> Verdict {
    pass_if(right, || match seen {
        Ok(seen) => (seen.describe(), faults(seen)),
        Err(error) => {
            let nothing = Seen { status: 0, headers: http::HeaderMap::new(), body: Vec::new() };
            (error.clone(), faults(&nothing))
        }
    })
}

pub(super) fn is(seen: &Seen, canary: Canary) -> bool {
    seen.status == 200 && is_content(seen, canary)
}

fn is_content(seen: &Seen, canary: Canary) -> bool {
    canary.content().as_ref() == Some(&seen.body)
}

/// Whether a header arrived, spaces apart: Apache takes those between members away.
fn arrived(seen: &Seen, name: &str, value: &str) -> bool {
    let plain = |text: &str| text.replace(", ", ",");
    seen.headers.get_all(name).iter().any(|line| line.to_str().is_ok_and(|line| plain(line) == plain(value)))
}
