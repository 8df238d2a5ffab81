//! Probes of a store that clients are redirected to, with signed URLs of canaries.

use std::time::{SystemTime, UNIX_EPOCH};

use secure_download_accel_redirect::doctor::Canary;

use super::client::Seen;
use super::examination::Examination;
use super::faults;
use super::folder::is_content;
use super::report::{Verdict, fault, not_known};
use super::stranger::{self, Stranger};

const SIGNED: &str = "signed URL";
const CLOCK: &str = "clock against the store";
const LONG: &str = "long redirects";

/// A `Date` has whole seconds, and an answer takes time; a signed URL lives for five.
const TOLERATED_SECONDS: u64 = 2;

/// What the application says of one canary.
enum Told {
    Url { canary: Canary, url: String, app: u64 },
    Verdict(Verdict),
}

impl Examination {
    pub(super) fn signed(&mut self) {
        let (canary, url, app) = match self.url() {
            Told::Url { canary, url, app } => (canary, url, app),
            Told::Verdict(verdict) => {
                self.row(SIGNED, None, verdict);
                for probe in [faults::PRIVATE, CLOCK] {
                    self.row(probe, None, not_known("there is no signed URL"));
                }
                self.long_redirects();
                return;
            }
        };
        // The application's clock, as seen from here.
        let app_ahead = i128::from(app) - i128::from(now());
        let answer = self.client().get_elsewhere(&url);
        let right = answer.as_ref().is_ok_and(|seen| seen.status == 200 && is_content(seen, canary));
        let clock = clock(&answer, app_ahead);
        let skewed = matches!(clock, Verdict::Faults { .. });
        let verdict = match &answer {
            _ if right => Verdict::Pass,
            Ok(seen) if Stranger::of(seen).is_for_now() => not_known(stranger::introduce(&answer)),
            Ok(seen) => fault(seen.describe(), faults::signed_url_refused(seen, skewed)),
            Err(error) => fault(error.clone(), vec![faults::store_unreachable(&url, error)]),
        };
        self.row(SIGNED, None, verdict);
        let verdict = self.unsigned(&url, canary, right);
        self.row(faults::PRIVATE, None, verdict);
        self.row(CLOCK, None, clock);
        self.long_redirects();
    }

    /// A signed URL of the plain canary, or of one that needs fewer headers if the signer declines that.
    fn url(&self) -> Told {
        let mut reason = String::new();
        for (id, canary) in [("plain", Canary::Plain), ("other", Canary::Other), ("bare", Canary::Other)] {
            let heard = self.client().probe(&format!("url/bucket/{id}"), &[]);
            let Some(text) = heard.told() else {
                return Told::Verdict(not_known(stranger::introduce(&heard.answer)));
            };
            let (line, rest) = text.split_once('\n').unwrap_or((&text, ""));
            if let (Some(url), Ok(app)) = (line.strip_prefix("url "), rest.trim().parse()) {
                return Told::Url { canary, url: url.to_owned(), app };
            }
            reason = line.to_owned();
        }
        Told::Verdict(fault(format!("the application does not sign: {reason}"), vec![faults::signer_fails()]))
    }

    fn unsigned(&self, url: &str, canary: Canary, right: bool) -> Verdict {
        let answer = self.client().get_elsewhere(url.split('?').next().unwrap_or_default());
        match &answer {
            Ok(seen) if is_content(seen, canary) => fault(seen.describe(), vec![faults::world_readable()]),
            _ if !right => not_known("the signed URL does not work either"),
            // Azure answers 404 or 409 where nothing is public.
            Ok(seen) if matches!(seen.status, 401 | 403 | 404 | 409) && !Stranger::of(seen).is_for_now() => {
                Verdict::Pass
            }
            _ => not_known(stranger::introduce(&answer)),
        }
    }

    /// Whether an answer as long as a redirect with a session token and a long name arrives.
    fn long_redirects(&mut self) {
        let heard = self.client().probe("long/bucket/plain", &[]);
        let verdict = self.judge(&heard, heard.told().is_some(), faults::long_redirects);
        self.row(LONG, None, verdict);
    }
}

fn clock(answer: &Result<Seen, String>, app_ahead: i128) -> Verdict {
    let seen = match answer {
        Ok(seen) => seen,
        Err(error) => return not_known(format!("the store is not reached from here: {error}")),
    };
    let store = seen.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
    let Some(store) = store.and_then(|date| date.duration_since(UNIX_EPOCH).ok()) else {
        return not_known("the store sends no Date");
    };
    let store_ahead = i128::from(store.as_secs()) - i128::from(now());
    let apart = app_ahead - store_ahead;
    if apart.unsigned_abs() <= u128::from(TOLERATED_SECONDS) {
        return Verdict::Pass;
    }
    let which = if apart > 0 { "ahead of" } else { "behind" };
    fault(format!("the application is {} s {which} the store", apart.abs()), vec![faults::clocks_apart()])
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
