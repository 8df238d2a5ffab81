//! Probes of a bucket: behind the proxy, and by itself.

use std::time::{SystemTime, UNIX_EPOCH};

use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::Canary;

use super::client::Seen;
use super::faults::fault;
use super::keep_alive::{self, Behind};
use super::probes::{Answered, is, judge, pass_if};
use super::report::Verdict;
use super::{Examination, Fault};

pub(super) const PRIVATE: &str = "bucket not readable by everybody";
pub(super) const CLOCK: &str = "clock against the store";

/// A `Date` has whole seconds, and an answer takes time; a signed URL lives for five.
const TOLERATED_SECONDS: u64 = 2;

/// A bucket that the proxy fetches from.
#[derive(Debug, Clone)]
pub(super) struct Masked {
    pub(super) dialect: Dialect,
    pub(super) location: String,
    pub(super) origin: String,
}

impl Examination {
    /// The bucket behind the proxy.
    pub(super) fn masked(&mut self, masked: &Masked) {
        let label = Some(masked.location.as_str());
        let file = |this: &Self, canary: Canary, fields: &[(&str, &str)]| {
            this.client().probe(&format!("file/bucket/{}", canary.id()), fields)
        };
        let seen = file(self, Canary::Plain, &[]);
        let right = seen.as_ref().is_ok_and(|seen| is(seen, Canary::Plain) && seen.shown().is_none());
        self.row("hand-off", label, judge(&seen, right, |seen| masked.not_delivered(seen)));
        if right {
            let odd = file(self, Canary::Odd, &[]);
            let right = odd.as_ref().is_ok_and(|seen| is(seen, Canary::Odd));
            self.row("escaping", label, judge(&odd, right, |_| masked.wrong_target()));
            self.headers_of_masked(masked, &seen);
            let content = Canary::Plain.content().unwrap_or_default();
            let part = file(self, Canary::Plain, &[("range", "bytes=3-9")]);
            let right = part.as_ref().is_ok_and(|seen| seen.status == 206 && seen.body == content[3..10]);
            self.row("ranges", label, judge(&part, right, |_| masked.ranges()));
            let behind =
                keep_alive::head_then_get(self.client().base(), self.client().session(), "file/bucket/plain");
            let verdict = match behind {
                Behind::Answer => Verdict::Pass,
                Behind::Unknown(why) => Verdict::NotRun(why.to_owned()),
                Behind::Bytes => Verdict::Faults {
                    seen: "bytes behind the answer to HEAD".to_owned(),
                    faults: masked.head_has_a_body(),
                },
            };
            self.row("HEAD on a kept connection", label, verdict);
            let missing = file(self, Canary::Missing, &[]);
            // A store answers 403 for a missing key to users that may not list it, which the proxy makes 502.
            let right = missing
                .as_ref()
                .is_ok_and(|seen| matches!(seen.status, 404 | 502) && masked.shown_by(seen).is_none());
            self.row("missing file", label, judge(&missing, right, |_| masked.error_shown()));
        }
        let direct = self.client().get(&masked.location);
        let right = direct.as_ref().is_ok_and(|seen| seen.status >= 400 && masked.shown_by(seen).is_none());
        self.row("direct access", label, judge(&direct, right, |_| masked.public()));
        let changed = self.client().probe("changed/bucket/plain", &[]);
        let right = changed.as_ref().is_ok_and(|seen| seen.status >= 400 && seen.shown().is_none());
        self.row("status behind a hand-off", label, judge(&changed, right, |_| masked.unguarded()));
    }

    fn headers_of_masked(&mut self, masked: &Masked, seen: &Answered) {
        let label = Some(masked.location.as_str());
        let lost = self.lost("bucket", seen);
        self.row("headers", label, judge(seen, lost.is_empty(), |_| masked.headers_lost(&lost)));
        let shown = seen.as_ref().ok().and_then(|seen| masked.shown_by(seen));
        let verdict = pass_if(shown.is_none(), || {
            let shown = shown.unwrap_or_default();
            (format!("the client sees {shown}"), masked.shown(&shown))
        });
        self.row("nothing of the bucket shows", label, verdict);
    }

    /// The bucket by itself: asked for a canary without a signature.
    pub(super) fn bucket(&mut self) {
        let unsigned = self.client().probe("unsigned/bucket/plain", &[]);
        let told = unsigned.as_ref().ok().filter(|seen| seen.status == 200).map(Seen::text);
        let mut lines = told.iter().flat_map(|text| text.lines());
        let (Some(url), Some(app)) = (lines.next(), lines.next().and_then(|line| line.parse::<u64>().ok()))
        else {
            for probe in [PRIVATE, CLOCK] {
                self.row(
                    probe,
                    None,
                    Verdict::NotRun("the application cannot sign for the canary".to_owned()),
                );
            }
            return;
        };
        // The application's clock, as seen from here.
        let app_ahead = i128::from(app) - i128::from(now());
        match self.client().get_elsewhere(url) {
            Err(error) => {
                let why = format!("the bucket is not reached from here: {error}");
                for probe in [PRIVATE, CLOCK] {
                    self.row(probe, None, Verdict::NotRun(why.clone()));
                }
            }
            Ok(seen) => {
                let verdict = pass_if(seen.status >= 400, || (seen.describe(), vec![world_readable()]));
                self.row(PRIVATE, None, verdict);
                let store = seen.field("date").and_then(|date| httpdate::parse_http_date(date).ok());
                let verdict = match store.and_then(|date| date.duration_since(UNIX_EPOCH).ok()) {
                    None => Verdict::NotRun("the store sends no Date".to_owned()),
                    Some(store) => {
                        let store_ahead = i128::from(store.as_secs()) - i128::from(now());
                        let apart = app_ahead - store_ahead;
                        pass_if(apart.unsigned_abs() <= u128::from(TOLERATED_SECONDS), || {
                            let which = if apart > 0 { "ahead of" } else { "behind" };
                            let seen = format!("the application is {} s {which} the store", apart.abs());
                            (seen, vec![clocks_apart()])
                        })
                    }
                };
                self.row(CLOCK, None, verdict);
            }
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn world_readable() -> Fault {
    fault(
        "bucket-world-readable",
        "the bucket gives the file to whoever knows its key, with no signature",
        "block public access: no policy with Principal \"*\", no public ACL, no `anonymous` or `download` rule",
    )
}

fn clocks_apart() -> Fault {
    fault(
        "clock-skew",
        "the clocks of application and store are apart: signed URLs end too early, or are not valid yet",
        "let both follow a time server: timedatectl set-ntp true",
    )
}
