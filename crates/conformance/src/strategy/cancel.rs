//! Clients that go away.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use http::Method;
use http::header::RANGE;
use secure_download_core::Outcome;

use super::plan::complete;
use super::samples::LARGE;
use super::{Kind, Laws, sample};
use crate::law::{Verdict, ensure};
use crate::site::{Site, next_chunk};

/// How often a future is polled before it is dropped.
const POLLS: usize = 6;

pub(super) async fn gone(laws: &Laws) -> Verdict {
    let large = sample(LARGE)?;
    let download = large.download();
    // One place: whoever keeps it is seen at once.
    let site = Site::with_places(Arc::clone(&laws.strategy), download.clone(), 1);
    let whole = laws.head(&Method::GET, &[]);
    let parts = laws.head(&Method::GET, &[(RANGE, "bytes=0-300000,400000-")]);
    for head in [&whole, &parts] {
        for polls in 0..POLLS {
            {
                let opening = pin!(site.open(&download, head));
                poll_up_to(opening, polls).await;
            }
            again(laws, &site).await.map_err(|seen| format!("dropped after {polls} polls: {seen}"))?;
        }
        for chunks in 0..3 {
            {
                let mut response = site.open(&download, head).await;
                for _ in 0..chunks {
                    let _ = next_chunk(response.body_mut()).await;
                }
            }
            again(laws, &site).await.map_err(|seen| format!("dropped after {chunks} chunks: {seen}"))?;
        }
    }
    if laws.kind == Kind::Sends {
        let _ = site.outcomes();
        drop(site.open(&download, &whole).await);
        ensure!(
            site.outcomes() == [Outcome::Cut { bytes: 0 }],
            "a body that nobody read is not reported as cut"
        );
        let answer = site.get(&download, &whole).await;
        let bytes = large.bytes.len() as u64;
        ensure!(answer.body == large.bytes, "other bytes after a cut");
        ensure!(site.outcomes() == [Outcome::Sent { bytes }], "a body that was read is not reported as sent");
    }
    laws.logged(&site);
    Ok(())
}

/// The place is free, nothing is held, and the next download is whole.
async fn again(laws: &Laws, site: &Site) -> Verdict {
    let answer = site.get(&sample(LARGE)?.download(), &laws.head(&Method::GET, &[])).await;
    complete(laws.kind, &answer).map_err(|seen| format!("the next download: {seen}"))?;
    if let Some(held) = &laws.held {
        let give_up = Instant::now() + laws.patience;
        while held() > 0 {
            ensure!(Instant::now() < give_up, "{} are still held", held());
            poll_up_to(pin!(std::future::pending::<()>()), 1).await;
        }
    }
    Ok(())
}

/// Polls up to `times`, and lets others run in between.
async fn poll_up_to<F: Future>(mut future: Pin<&mut F>, mut times: usize) {
    std::future::poll_fn(|cx| {
        if times == 0 || future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        times -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
