//! Which file a key opens.

use std::collections::HashMap;

use http::header::{ETAG, HeaderName};
use http::{HeaderValue, Method};
use secure_download_core::{Download, FileKey};

use super::plan::{complete, is_query};
use super::samples::{LARGE, ONE, PLAIN};
use super::{Kind, Laws, Sample, sample, samples};
use crate::law::{Verdict, ensure};
use crate::site::{Answer, Site};

pub(super) async fn own(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    let head = laws.head(&Method::GET, &[]);
    // For each field that points anywhere: which keys it tells apart.
    let mut targets: HashMap<HeaderName, HashMap<String, FileKey>> = HashMap::new();
    let mut shared: HashMap<HeaderName, String> = HashMap::new();
    let mut tags: HashMap<HeaderValue, FileKey> = HashMap::new();
    for Sample { key, bytes } in samples() {
        let download = Sample { key: key.clone(), bytes: bytes.clone() }.download();
        let answer = site.get(&download, &head).await;
        laws.saw(&answer);
        if (laws.lacks)(&key) {
            ensure!(!answer.status.is_success(), "{key:?} cannot be held, and is answered {}", answer.status);
            ensure!(answer.delivery.is_none(), "{key:?} cannot be held, and is handed on");
            continue;
        }
        complete(laws.kind, &answer).map_err(|seen| format!("{key:?}: {seen}"))?;
        if laws.kind == Kind::Sends {
            ensure!(answer.body == bytes, "{key:?} opened another file");
            // Tags are made of lengths and times too, so only files of different lengths must differ.
            if [PLAIN, LARGE, ONE].contains(&key.as_str())
                && let Some(tag) = strong_tag(&answer)
                && let Some(other) = tags.insert(tag, key.clone())
            {
                return Err(format!("{key:?} and {other:?} have one strong entity tag"));
            }
            continue;
        }
        if laws.kind == Kind::HandsOff {
            let opened = targets_of(&answer).iter().any(|(_, target)| laws.opens(target, &key));
            ensure!(opened, "{key:?}: no target opens it once it is unescaped, so another file may be sent");
        }
        for (name, target) in targets_of(&answer) {
            ensure!(
                target.bytes().all(|byte| byte.is_ascii_graphic()),
                "{key:?}: the target holds what is no part of a URI: {target:?}"
            );
            if let Some(other) = targets.entry(name.clone()).or_default().insert(target, key.clone()) {
                shared.insert(name, format!("{key:?} and {other:?} open the same file"));
            }
        }
    }
    laws.logged(&site);
    let told_apart = targets.is_empty() || targets.keys().any(|name| !shared.contains_key(name));
    ensure!(told_apart, "{}", shared.into_values().next().unwrap_or_default());
    Ok(())
}

fn strong_tag(answer: &Answer) -> Option<HeaderValue> {
    answer.headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")).cloned()
}

/// Where a hand-off or a redirect points to. Queries hold what changes with the time and not with the key.
pub(super) fn targets_of(answer: &Answer) -> Vec<(HeaderName, String)> {
    let sensitive = answer.extra().filter(|(name, value)| value.is_sensitive() && !is_query(name));
    let path = |value: &HeaderValue| {
        let target = String::from_utf8_lossy(value.as_bytes()).into_owned();
        target.split('?').next().unwrap_or_default().to_owned()
    };
    sensitive.map(|(name, value)| (name.clone(), path(value))).collect()
}

pub(super) async fn volumes(laws: &Laws) -> Verdict {
    let plain = sample(PLAIN)?.download();
    let site = laws.site(plain.clone());
    let head = laws.head(&Method::GET, &[]);
    for volume in ["no-such-volume", "", "..", "a/b", "a\r\nb", "laws"] {
        let answer = site.get(&plain.clone().volume(volume), &head).await;
        laws.saw(&answer);
        ensure!(
            !answer.status.is_success() && !answer.status.is_redirection() && answer.delivery.is_none(),
            "a file of the volume {volume:?}, which nobody named, is answered {}",
            answer.status
        );
    }
    if laws.kind == Kind::Sends {
        // A signer cannot know which versions there are; storage does.
        let answer = site.get(&plain.version("no-such-version"), &head).await;
        ensure!(!answer.status.is_success(), "a version that is not there is answered {}", answer.status);
    } else {
        versions(laws, &site, &plain).await?;
    }
    laws.logged(&site);
    Ok(())
}

/// A version is named to whoever sends the file, or nobody is sent to it.
async fn versions(laws: &Laws, site: &Site, plain: &Download) -> Verdict {
    let head = laws.head(&Method::GET, &[]);
    let newest = site.get(plain, &head).await;
    // Stores name versions by words or by numbers.
    for version in ["laws-version-1", "1700000000000001"] {
        let answer = site.get(&plain.clone().version(version), &head).await;
        laws.saw(&answer);
        if answer.delivery.is_none() {
            continue;
        }
        let named = answer.extra().any(|(_, value)| {
            value.is_sensitive() && String::from_utf8_lossy(value.as_bytes()).contains(version)
        });
        ensure!(
            named || targets_of(&answer) != targets_of(&newest),
            "the version {version:?} is pinned, and the newest is sent"
        );
    }
    Ok(())
}
