//! Consumers that keep every chunk until the body ends: `to_bytes`, layers that buffer, serverless adapters.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, RANGE};
use secure_download_core::{Body, Download, Outcome};

use super::samples::{LARGE, PLAIN};
use super::{Laws, sample};
use crate::law::{Verdict, ensure};
use crate::site::Site;

/// Fast enough that both samples take less than a second.
const RATE: NonZeroU64 = NonZeroU64::new(4 << 20).expect("not zero");

/// The whole, one range and several, of files that take more than one chunk. `None` is the whole.
const ASKED: [Option<&str>; 4] =
    [None, Some("bytes=1-"), Some("bytes=0-90000"), Some("bytes=0-70000,80000-80000,90000-100000")];

pub(super) async fn whole(laws: &Laws) -> Verdict {
    for key in [PLAIN, LARGE] {
        let file = sample(key)?;
        let plain = file.download();
        for (download, rate) in [(plain.clone(), ""), (plain.rate(RATE), ", with a rate")] {
            // One place: a transfer that does not end is seen by the next one.
            let site = Site::with_places(Arc::clone(&laws.strategy), download.clone(), 1);
            for range in ASKED {
                let case = format!("{key}, {}{rate}", range.unwrap_or("whole"));
                collected(laws, &site, &download, range).await.map_err(|seen| format!("{case}: {seen}"))?;
            }
            laws.logged(&site);
        }
    }
    Ok(())
}

async fn collected(laws: &Laws, site: &Site, download: &Download, range: Option<&str>) -> Verdict {
    let fields: Vec<_> = range.into_iter().map(|range| (RANGE, range)).collect();
    let response = site.open(download, &laws.head(&Method::GET, &fields)).await;
    if download.terms().rate_limit().is_some() && !response.status().is_success() {
        // A strategy that keeps no rate may decline.
        return Ok(());
    }
    ensure!(response.status().is_success(), "the answer is {}", response.status());
    let announced = response.headers().get(CONTENT_LENGTH).cloned();
    let kept = keep_all(laws, response.into_body()).await?;
    let length: usize = kept.iter().map(Bytes::len).sum();
    let as_announced =
        announced.is_none_or(|announced| announced.as_bytes() == length.to_string().as_bytes());
    ensure!(as_announced, "{length} bytes came, which is not the announced length");
    drop(kept);
    ensure!(
        site.outcomes() == [Outcome::Sent { bytes: length as u64 }],
        "a body that was collected is not reported as sent"
    );
    Ok(())
}

/// Every chunk of a body, all of them held until the end.
async fn keep_all(laws: &Laws, mut body: Body) -> Result<Vec<Bytes>, String> {
    let mut kept = Vec::new();
    loop {
        let give_up = Instant::now() + laws.patience;
        let next = std::future::poll_fn(|cx| match body.poll_chunk(cx) {
            Poll::Pending if Instant::now() >= give_up => Poll::Ready(Err(())),
            Poll::Pending => {
                // Without a timer: asked again when others had their turn.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(chunk) => Poll::Ready(Ok(chunk)),
        });
        match next.await {
            Ok(Some(Ok(chunk))) => kept.push(chunk),
            Ok(Some(Err(error))) => {
                return Err(format!("it broke off behind {} chunks: {error}", kept.len()));
            }
            Ok(None) => return Ok(kept),
            Err(()) => {
                let held = kept.len();
                return Err(format!(
                    "no chunk comes while {held} are held: give chunks to those that keep them"
                ));
            }
        }
    }
}
