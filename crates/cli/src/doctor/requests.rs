//! Probes of what the proxy makes of requests and statuses.

use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::DOCTOR_VISITOR;

use super::bare;
use super::client::{Heard, Seen};
use super::examination::Examination;
use super::faults;
use super::report::{Verdict, fault, not_known};
use super::stranger::{self, Stranger};

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

/// What a trusted hop says. The proxy takes its word for these two, and for no other.
const SAID_BY_HOPS: [&str; 2] = ["x-forwarded-for", "x-forwarded-proto"];

/// Ways to name the proof as a header of this connection alone (RFC 9110, section 7.6.1).
const CONNECTION: [&str; 4] = [
    "Connection: close, X-Secure-Download-Proof\r\n",
    "Connection: x-secure-download-proof\r\nConnection: close\r\n",
    "Connection: X-SECURE-DOWNLOAD-PROOF ,close\r\n",
    // A server that takes the name out once puts it together.
    "Connection: close, X-Secure-Download-PrX-Secure-Download-Proofoof\r\n",
];

/// How many proxies a TRACE may pass (RFC 9110, section 7.6.2): each of a few answers itself, or the application does.
const FORWARDS: [Option<u8>; 4] = [None, Some(0), Some(1), Some(2)];

/// What an echo says of the proof.
fn proof(echo: &str) -> &str {
    echo.lines().find_map(|line| line.strip_prefix("proof: ")).unwrap_or("absent")
}

impl Examination {
    /// What of a request reaches the application. Whether the proof does.
    pub(super) fn requests(&mut self, dialect: Dialect) -> bool {
        let plain = self.client().probe("echo", &[]);
        let attacked = self.client().probe("echo", &SPOOFED);
        let (told, told_under_attack) = (plain.told(), attacked.told());
        let proven = told.as_deref().is_some_and(|echo| proof(echo) == "right");
        let worst = |echo: &str| if proven { proof(echo).to_owned() } else { String::new() };
        let verdict = match (told.as_deref().map(proof), told_under_attack.as_deref().map(worst)) {
            (None, _) => not_known(stranger::introduce(&plain.answer)),
            (Some("right"), None) => not_known(stranger::introduce(&attacked.answer)),
            (Some("right"), Some(worst)) if worst == "right" => Verdict::Pass,
            (Some("right"), Some(worst)) => unproven(dialect, &worst),
            (Some(other), _) => unproven(dialect, other),
        };
        self.row("proof of proxy", None, verdict);
        let verdict = self.spoofed(dialect, &attacked);
        self.row("spoofed headers", None, verdict);
        let verdict = self.made_up(dialect);
        self.row("made-up visitor", None, verdict);
        let verdict = if proven { self.named_in_connection(dialect) } else { not_known("there is no proof") };
        self.row("proof named in Connection", None, verdict);
        let verdict = self.trace(dialect);
        self.row("TRACE", None, verdict);
        proven
    }

    fn spoofed(&self, dialect: Dialect, attacked: &Heard) -> Verdict {
        let Some(echo) = attacked.told() else {
            return not_known(stranger::introduce(&attacked.answer));
        };
        let names: Vec<_> = echo.lines().filter_map(|line| line.strip_prefix("spoofed: ")).collect();
        if names.is_empty() {
            return Verdict::Pass;
        }
        let seen = format!("the application sees {}", names.join(", "));
        fault(seen, faults::spoofable(dialect, &names))
    }

    /// Whether the application hears of the visitor from the proxy alone.
    fn made_up(&self, dialect: Dialect) -> Verdict {
        let heard = self.client().probe("echo", &DOCTOR_VISITOR);
        let Some(echo) = heard.told() else {
            return not_known(stranger::introduce(&heard.answer));
        };
        let names: Vec<_> = echo.lines().filter_map(|line| line.strip_prefix("made up: ")).collect();
        let seen = format!("the application believes the client's own {}", names.join(", "));
        if names.is_empty() {
            Verdict::Pass
        } else if names.iter().all(|name| SAID_BY_HOPS.contains(name)) {
            not_known(format!("{seen}: right only if this machine is a trusted hop; ask from another one"))
        } else {
            fault(seen, vec![faults::made_up(dialect, &names)])
        }
    }

    fn named_in_connection(&self, dialect: Dialect) -> Verdict {
        let mut verdict = Verdict::Pass;
        for line in CONNECTION {
            match bare::echo(self.client(), line) {
                Ok(echo) if proof(&echo) == "right" => {}
                Ok(echo) => {
                    let seen = format!("the proof is {} behind {:?}", proof(&echo), line.trim_end());
                    return fault(seen, vec![faults::connection_drops_proof(dialect)]);
                }
                Err(why) => verdict = not_known(why),
            }
        }
        verdict
    }

    fn trace(&self, dialect: Dialect) -> Verdict {
        let mut verdict = Verdict::Pass;
        for forwards in FORWARDS {
            let answer = bare::trace(self.client(), forwards);
            match &answer {
                Ok(seen) if seen.text().to_ascii_lowercase().contains("x-secure-download-proof") => {
                    let seen = "the answer to TRACE shows the proof".to_owned();
                    return fault(seen, vec![faults::trace_shows_proof(dialect)]);
                }
                Ok(seen) if is_refusal_of_trace(seen) => {}
                _ => verdict = not_known(stranger::introduce(&answer)),
            }
        }
        verdict
    }

    pub(super) fn statuses(&mut self, dialect: Dialect) {
        let (mut wrong, mut unknown) = (Vec::new(), None);
        for status in [200, 403, 404, 503] {
            let heard = self.client().probe(&format!("status/{status}"), &[]);
            let right = heard.is(|seen| seen.status == status && seen.text() == format!("status {status}\n"));
            match self.judge(&heard, right, |_| Vec::new()) {
                Verdict::Faults { seen, .. } => wrong.push(format!("{status} arrives as {seen}")),
                Verdict::NotKnown(why) => unknown = Some(why),
                _ => {}
            }
        }
        let verdict = match (wrong.is_empty(), unknown) {
            (false, _) => fault(wrong.join("; "), faults::status_rewritten(dialect)),
            (true, Some(why)) => not_known(why),
            (true, None) => Verdict::Pass,
        };
        self.row("status", None, verdict);
    }
}

fn unproven(dialect: Dialect, proof: &str) -> Verdict {
    fault(format!("the proof is {proof}"), faults::unproven(dialect, proof))
}

/// The method is refused, or the request itself came back without the proof.
fn is_refusal_of_trace(seen: &Seen) -> bool {
    let echoed = seen.status == 200
        && seen.header("content-type").is_some_and(|value| value.starts_with("message/http"));
    echoed || matches!(seen.status, 400 | 403..=405 | 501) && Stranger::of(seen) == Stranger::ErrorPage
}
