//! Which file a key opens.

use std::collections::HashMap;

use futures::future::join_all;
use http::header::RANGE;
use http::{HeaderName, HeaderValue, Method};
use secure_download_core::FileKey;

use super::plan::{complete, is_query};
use super::samples::{ODD_KEYS, PLAIN};
use super::{Kind, Laws, Sample, sample, samples};
use crate::law::{Verdict, ensure};
use crate::site::Answer;

pub(super) async fn own(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    let head = laws.head(&Method::GET, &[]);
    // For each field that points anywhere: which keys it tells apart.
    let mut targets: HashMap<HeaderName, HashMap<String, FileKey>> = HashMap::new();
    let mut shared: HashMap<HeaderName, String> = HashMap::new();
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
            continue;
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

/// Where a hand-off or a redirect points to. Queries hold what changes with the time and not with the key.
fn targets_of(answer: &Answer) -> Vec<(HeaderName, String)> {
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
    }
    laws.logged(&site);
    Ok(())
}

pub(super) async fn together(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    let whole = laws.head(&Method::GET, &[]);
    let part = laws.head(&Method::GET, &[(RANGE, "bytes=1-")]);
    let samples: Vec<Sample> =
        samples().into_iter().filter(|sample| sample.bytes.len() > 1 && !(laws.lacks)(&sample.key)).collect();
    ensure!(samples.len() > ODD_KEYS.len() / 2, "hardly a key can be held");
    let answers = samples.iter().flat_map(|sample| {
        [&whole, &part].map(|head| {
            let site = &site;
            async move { (sample, site.get(&sample.download(), head).await) }
        })
    });
    for (sample, answer) in join_all(answers).await {
        let from = usize::from(answer.status == http::StatusCode::PARTIAL_CONTENT);
        ensure!(
            answer.status.is_success() && answer.body == sample.bytes[from..],
            "among others {:?} is answered {} with {} bytes",
            sample.key,
            answer.status,
            answer.body.len()
        );
    }
    Ok(())
}
