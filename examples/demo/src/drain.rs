//! [`Drain`]: the end of the demo, which running requests may outlive for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::page::answer;
use crate::{Page, Site, refusal};

/// Requests in progress, and whether new downloads are still taken.
#[derive(Debug)]
pub(crate) struct Drain {
    running: watch::Sender<usize>,
    begun: watch::Sender<bool>,
    /// Clients come to this process for as long as it listens: the next one has another socket.
    turns_away: AtomicBool,
    longest: Duration,
}

/// One request in progress, until it is dropped: behind the last byte of its answer.
#[derive(Debug)]
pub struct InProgress(watch::Sender<usize>);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

impl Drain {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            running: watch::Sender::new(0),
            begun: watch::Sender::new(false),
            turns_away: AtomicBool::new(false),
            longest,
        }
    }
}

impl Site {
    /// Counts a request, for as long as the returned value lives.
    #[must_use]
    pub fn begin(&self) -> InProgress {
        self.drain.running.send_modify(|running| *running += 1);
        InProgress(self.drain.running.clone())
    }

    /// What a new request for this path is answered with while the demo ends; `None` if it is served.
    #[must_use]
    pub fn turned_away(&self, path: &str) -> Option<Page> {
        let moves_files = path.starts_with("/files/") || path.starts_with("/d/") || path == "/upload";
        if !moves_files || !self.drain.turns_away.load(Ordering::Relaxed) {
            return None;
        }
        let mut page = refusal(StatusCode::SERVICE_UNAVAILABLE, "The site is restarting. Please try again.");
        page.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        Some(page)
    }

    /// `GET /readyz`: whether a load balancer is to send requests here.
    pub async fn ready(&self) -> Page {
        if self.drain.turns_away.load(Ordering::Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        if self.store.answers().await.is_err() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n");
        }
        match self.links.ready().await {
            Ok(()) => text(StatusCode::OK, "ready"),
            Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the store of links does not answer\n"),
        }
    }

    /// Ready once the demo is told to end, no request is in progress and the embedded store has sent what it has begun, or
    /// `--drain` seconds after.
    ///
    /// With `inherited`, ready at once when told: the next process takes new requests from the same socket. Requests that this
    /// process has accepted are served, for the client did not choose between the two.
    pub async fn drained(&self, told: impl Future<Output = ()>, inherited: bool) {
        told.await;
        self.drain.begun.send_replace(true);
        if inherited {
            return;
        }
        self.drain.turns_away.store(true, Ordering::Relaxed);
        let mut running = self.drain.running.subscribe();
        let finished = async {
            // Only this site sends, so the wait cannot fail.
            let _ = running.wait_for(|running| *running == 0).await;
            self.finish_store().await;
        };
        let _ = timeout(self.drain.longest, finished).await;
    }

    /// Ready once the embedded store, if there is one, has sent what it has begun.
    pub async fn finish_store(&self) {
        if let Some(bucket) = &self.bucket {
            bucket.finish().await;
        }
    }

    /// Ready `--drain` seconds after the demo was told to end: what is left is cut.
    pub async fn drain_is_over(&self) {
        let mut begun = self.drain.begun.subscribe();
        if begun.wait_for(|begun| *begun).await.is_ok() {
            sleep(self.drain.longest).await;
        }
    }

    /// How long running requests may take once the demo is told to end.
    #[must_use]
    pub fn longest_drain(&self) -> Duration {
        self.drain.longest
    }
}

fn text(status: StatusCode, says: &'static str) -> Page {
    answer(status, "text/plain; charset=utf-8", says)
}
