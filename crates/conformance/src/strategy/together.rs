//! Requests at the same time.

use std::collections::HashSet;

use futures::future::join_all;
use http::header::{CONTENT_DISPOSITION, RANGE};
use http::{HeaderName, Method};

use super::keys::targets_of;
use super::samples::{ODD_KEYS, PLAIN};
use super::{Kind, Laws, Sample, sample, samples};
use crate::law::{Verdict, ensure};
use crate::site::{Answer, Site};

pub(super) async fn together(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    let samples: Vec<Sample> =
        samples().into_iter().filter(|sample| sample.bytes.len() > 1 && !(laws.lacks)(&sample.key)).collect();
    ensure!(samples.len() > ODD_KEYS.len() / 2, "hardly a key can be held");
    match laws.kind {
        Kind::Sends => bytes(laws, &site, &samples).await,
        Kind::HandsOff | Kind::Redirects => targets(laws, &site, &samples).await,
    }
}

async fn bytes(laws: &Laws, site: &Site, samples: &[Sample]) -> Verdict {
    let whole = laws.head(&Method::GET, &[]);
    let part = laws.head(&Method::GET, &[(RANGE, "bytes=1-")]);
    let answers = samples.iter().flat_map(|sample| {
        [&whole, &part].map(|head| async move { (sample, site.get(&sample.download(), head).await) })
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

/// A target among others opens what it opens alone, and is nobody else's.
async fn targets(laws: &Laws, site: &Site, samples: &[Sample]) -> Verdict {
    let head = laws.head(&Method::GET, &[]);
    let mut alone = Vec::new();
    for sample in samples {
        alone.push(site.get(&sample.download(), &head).await);
    }
    let answers = samples.iter().enumerate().map(|(number, sample)| {
        let download = sample.download().filename(format!("number-{number}.bin"));
        let head = &head;
        async move { site.get(&download, head).await }
    });
    let among = join_all(answers).await;
    for (number, (sample, (alone, answer))) in samples.iter().zip(alone.iter().zip(&among)).enumerate() {
        let key = &sample.key;
        ensure!(
            answer.delivery == alone.delivery && answer.status == alone.status,
            "among others {key:?} is answered {}, alone {}",
            answer.status,
            alone.status
        );
        let among = targets_of(answer);
        for (name, target) in targets_of(alone) {
            let same = among.iter().find(|(other, _)| *other == name).is_some_and(|(_, other)| {
                // What is sealed is told apart below.
                laws.opens(other, key) || !laws.opens(&target, key)
            });
            ensure!(same, "among others {key:?} gets the {name} of another");
        }
        if laws.kind == Kind::HandsOff {
            let shown = answer.headers.get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
            let right = format!("number-{number}.bin");
            ensure!(
                shown.is_some_and(|shown| shown.contains(&right)),
                "among others {right} is shown as {shown:?}"
            );
        }
    }
    let names: HashSet<HeaderName> = alone.iter().flat_map(targets_of).map(|(name, _)| name).collect();
    for name in names {
        let different = |answers: &[Answer]| {
            let targets = answers.iter().flat_map(targets_of).filter(|(other, _)| *other == name);
            targets.map(|(_, target)| target).collect::<HashSet<_>>().len()
        };
        ensure!(
            different(&among) >= different(&alone),
            "of {} that ask at the same time, some get the {name} of another",
            samples.len()
        );
    }
    Ok(())
}
