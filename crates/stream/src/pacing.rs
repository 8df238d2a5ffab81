//! [`Paced`]: a body no faster than a rate.

use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use secure_download_core::{Body, BoxError};
use tokio::time::{Instant, Sleep, sleep_until};

/// How much time's worth of bytes leaves at once.
const BURST: Duration = Duration::from_millis(100);

/// Passes a body on at no more than a number of bytes per second.
pub(crate) struct Paced {
    body: Body,
    rate: NonZeroU64,
    /// Read from the body, not yet let through.
    pending: Bytes,
    /// When the next bytes may leave.
    due: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(crate) fn new(body: Body, rate: NonZeroU64) -> Self {
        Self { body, rate, pending: Bytes::new(), due: None }
    }

    /// The most bytes that leave at once, at least one.
    fn burst(&self) -> usize {
        let bytes = u128::from(self.rate.get()) * BURST.as_millis() / 1000;
        usize::try_from(bytes.max(1)).unwrap_or(usize::MAX)
    }

    /// The time that `bytes` take at the rate.
    fn time_for(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.rate.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Stream for Paced {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(due) = &mut this.due {
            ready!(due.as_mut().poll(cx));
        }
        if this.pending.is_empty() {
            match ready!(this.body.poll_chunk(cx)) {
                Some(Ok(chunk)) => this.pending = chunk,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.pending.split_to(this.burst().min(this.pending.len()));
        let wait = this.time_for(piece.len());
        let now = Instant::now();
        match &mut this.due {
            // Time that the client let pass is not saved up.
            Some(due) => {
                let next = due.deadline().max(now) + wait;
                due.as_mut().reset(next);
            }
            None => this.due = Some(Box::pin(sleep_until(now + wait))),
        }
        Poll::Ready(Some(Ok(piece)))
    }
}
