//! Which file a key opens.

use std::collections::HashMap;

use futures::future::join_all;
use http::Method;
use http::header::RANGE;
use secure_download_core::FileKey;

use super::plan::complete;
use super::samples::{ODD_KEYS, PLAIN};
use super::{Kind, Laws, Sample, sample, samples};
use crate::law::{Verdict, ensure};
use crate::site::Answer;

pub(super) async fn own(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    let head = laws.head(&Method::GET, &[]);
    let mut targets: HashMap<String, FileKey> = HashMap::new();
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
        for target in targets_of(&answer) {
            ensure!(
                target.bytes().all(|byte| byte.is_ascii_graphic()),
                "{key:?}: the target holds what is no part of a URI: {target:?}"
            );
            if let Some(other) = targets.insert(target, key.clone()) {
                return Err(format!("{key:?} and {other:?} open the same file"));
            }
        }
    }
    laws.logged(&site);
    Ok(())
}

/// Where a hand-off or a redirect points to. Queries hold what changes with the time and not with the key.
fn targets_of(answer: &Answer) -> Vec<String> {
    let sensitive = answer.extra().filter(|(_, value)| value.is_sensitive());
    let mut targets: Vec<String> =
        sensitive.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    for target in &mut targets {
        if let Some(end) = target.find('?') {
            target.truncate(end);
        }
    }
    targets
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
