//! [`Patient`]: a stream that may not stall.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use secure_download_core::BoxError;
use tokio::time::{Instant, Sleep, sleep};

/// How long a store may say nothing: as long as `object_store`'s own limit for a whole request.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The store said nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the store stalled for {} seconds", PATIENCE.as_secs())]
pub(crate) struct Stalled;

/// Passes a stream on, and ends it with [`Stalled`] if nothing comes for so long. The time during which nobody asks does
/// not count: slow readers may be as slow as they like.
pub(crate) struct Patient<St> {
    stream: St,
    /// Made at the first wait.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<St> Patient<St> {
    pub(crate) fn new(stream: St) -> Self {
        Self { stream, timer: None, waiting: false }
    }
}

impl<St, E> Stream for Patient<St>
where
    St: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<BoxError>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(item) = Pin::new(&mut this.stream).poll_next(cx) {
            this.waiting = false;
            return Poll::Ready(item.map(|chunk| chunk.map_err(Into::into)));
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        if !this.waiting {
            this.waiting = true;
            timer.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(Stalled.into())))
    }
}
