//! Probes of ways around the application: its files, asked for directly.

use secure_download_accel_redirect::Dialect;
use secure_download_accel_redirect::doctor::Canary;

use super::client::{Heard, Seen};
use super::examination::Examination;
use super::faults::Suspects;
use super::folder::is_content;
use super::report::{Verdict, fault, not_known};
use super::stranger;

/// No folder has such a name.
const NOWHERE: &str = "/sibling-of-none/x";

/// What became of a direct request.
enum Direct {
    Open,
    Refused,
    NotKnown(String),
}

impl Examination {
    pub(super) fn direct(&mut self, index: usize, root: &Suspects) {
        let verdict = self.direct_access(root);
        self.row("direct access", root.label(), verdict);
        if root.dialect == Dialect::Nginx {
            let verdict = self.siblings(index, root);
            self.row("siblings", root.label(), verdict);
        }
    }

    fn direct_access(&self, root: &Suspects) -> Verdict {
        let canary = Canary::Plain.path();
        let by_location = format!("{}/{canary}", root.location);
        let mut unknown = None;
        for path in self.client().site().places(&by_location) {
            match self.ask_directly(&path) {
                Direct::Open => return fault(format!("{path} is open"), root.public(true)),
                Direct::Refused => {}
                Direct::NotKnown(_) if self.is_answered_by_nginx_itself(root, &path) => {
                    return fault(
                        format!("nginx answers {path} with an error of its own"),
                        root.public(true),
                    );
                }
                Direct::NotKnown(why) => unknown = Some(format!("{path}: {why}")),
            }
        }
        for folder in folders_above(&root.folder) {
            for path in self.client().site().places(&format!("{folder}/{canary}")) {
                match self.ask_directly(&path) {
                    Direct::Open => return fault(format!("{path} is open"), root.public(false)),
                    Direct::Refused => {}
                    Direct::NotKnown(why) => unknown = Some(format!("{path}: {why}")),
                }
            }
        }
        unknown.map_or(Verdict::Pass, not_known)
    }

    /// Only "not there" says that this path leads to no file: every other answer may stand in front of the file.
    fn ask_directly(&self, path: &str) -> Direct {
        let answer = self.client().request("GET", path);
        match &answer {
            Ok(seen) if is_content(seen, Canary::Plain) => Direct::Open,
            Ok(seen) if is_not_there(seen) => Direct::Refused,
            _ => Direct::NotKnown(stranger::introduce(&answer)),
        }
    }

    /// nginx answers 404 for an internal location. Another error of its own, at this path alone, comes from behind the
    /// location's door.
    fn is_answered_by_nginx_itself(&self, root: &Suspects, path: &str) -> bool {
        let status = |path: &str| {
            let seen = self.client().request("GET", path).ok()?;
            seen.is_page_of_nginx().then_some(seen.status)
        };
        root.dialect == Dialect::Nginx
            && status(path).is_some_and(|found| matches!(found, 500 | 502) && status(NOWHERE) != Some(found))
    }

    /// A sibling of nginx's internal location must be treated as any other path. OPTIONS tells an internal location, which
    /// answers 404, from a folder without the file, which answers 405.
    fn siblings(&self, index: usize, root: &Suspects) -> Verdict {
        let sibling = format!("{}-sibling/x", root.location);
        for method in ["GET", "OPTIONS"] {
            let (at, elsewhere) =
                (self.client().request(method, &sibling), self.client().request(method, NOWHERE));
            let (Ok(at), Ok(elsewhere)) = (&at, &elsewhere) else {
                return not_known(stranger::introduce(if at.is_err() { &at } else { &elsewhere }));
            };
            let by_nginx = at.is_page_of_nginx() && matches!(at.status, 403 | 404 | 500 | 502);
            if by_nginx && (at.status != elsewhere.status || !elsewhere.is_page_of_nginx()) {
                let taken = || fault("nginx takes a sibling of the location".to_owned(), root.nginx_slash());
                return match (at.status, elsewhere.status) {
                    (_, 429 | 503) => not_known(stranger::introduce(&Ok(elsewhere.clone()))),
                    // A server in front may close everything near the location. Hand-offs do not pass it.
                    (404, _) => match self.sibling_handed_off(index, root) {
                        Verdict::Pass => Verdict::Pass,
                        _ => taken(),
                    },
                    _ => taken(),
                };
            }
            if at.status != elsewhere.status || !(is_not_there(at) || method == "OPTIONS") {
                return not_known(stranger::introduce(&Ok(at.clone())));
            }
            if !at.is_page_of_nginx() || at.status == 405 {
                return Verdict::Pass;
            }
        }
        self.sibling_handed_off(index, root)
    }

    /// Where nginx itself answers 404 for every path, the location's own headers show which one answers for a sibling.
    fn sibling_handed_off(&self, index: usize, root: &Suspects) -> Verdict {
        let kept = |heard: &Heard| {
            let is_answer =
                heard.is(|seen| seen.status == 404) && matches!(self.client().arrived(heard), Some(1));
            is_answer.then(|| heard.is(|seen| seen.headers.contains_key("content-security-policy")))
        };
        let missing = self.client().probe(&format!("file/{index}/missing"), &[]);
        let sibling = self.client().probe(&format!("sibling/{index}/plain"), &[]);
        match (kept(&missing), kept(&sibling)) {
            (Some(true), Some(true)) => {
                fault("nginx takes a sibling of the location".to_owned(), root.nginx_slash())
            }
            (Some(true), Some(false)) => Verdict::Pass,
            _ => not_known(
                "nginx answers every path at the server's root alike, a sibling of the location too",
            ),
        }
    }
}

pub(super) fn is_not_there(seen: &Seen) -> bool {
    matches!(seen.status, 404 | 410)
}

/// Paths under which a server whose root is above the folder would serve it, percent-encoded: for `/srv/app/media` these are
/// the root itself, `/media`, `/app/media` and `/srv/app/media`.
fn folders_above(folder: &str) -> Vec<String> {
    let encoded: Vec<String> = folder.split('/').filter(|name| !name.is_empty()).map(encoded).collect();
    let path = |names: &[String]| names.iter().map(|name| format!("/{name}")).collect();
    (0..=encoded.len()).rev().map(|from| path(&encoded[from..])).collect()
}

fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_above_is_asked_for() {
        let paths = ["", "/m%C3%A9%20dia", "/app/m%C3%A9%20dia", "/srv/app/m%C3%A9%20dia"];
        assert_eq!(folders_above("/srv/app/mé dia"), paths);
    }
}
