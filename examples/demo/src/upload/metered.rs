//! [`Metered`]: a body in small pieces, of which the form's parser collects only so much.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

/// The most bytes of what stands before the content of a part: the rest of the part before, the boundary, the part's head. For
/// the first part, the preamble too.
const HEAD: usize = 16 * 1024;

/// The largest piece of content.
const PIECE: usize = 64 * 1024;

/// How much the parser may still take, which depends on what it looks for.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    /// The parser looks for the next part.
    pub(super) fn for_head(&self) {
        self.0.store(HEAD, Ordering::Relaxed);
    }

    /// The parser hands out content.
    pub(super) fn for_content(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }
}

/// A body whose reader takes all that is ready before it looks at any of it. After each piece it is told to wait a moment, so
/// that it looks at that piece first.
#[derive(Debug)]
pub(super) struct Metered<S> {
    body: S,
    piece: Bytes,
    allowance: Allowance,
    rests: bool,
}

/// The next part did not begin in time.
#[derive(Debug, thiserror::Error)]
pub(super) enum MeteredError<E> {
    #[error("the head of a part is too long")]
    HeadTooLong,
    #[error(transparent)]
    Body(E),
}

impl<S> Metered<S> {
    pub(super) fn new(body: S) -> (Self, Allowance) {
        let allowance = Allowance(Arc::new(AtomicUsize::new(HEAD)));
        (Self { body, piece: Bytes::new(), allowance: allowance.clone(), rests: false }, allowance)
    }
}

impl<S, E> Stream for Metered<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, MeteredError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.rests {
            self.rests = false;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.piece.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(Ok(bytes)) => self.piece = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(MeteredError::Body(error)))),
                None => return Poll::Ready(None),
            }
        }
        let left = self.allowance.0.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Some(Err(MeteredError::HeadTooLong)));
        }
        let length = self.piece.len().min(PIECE).min(left);
        if left != usize::MAX {
            self.allowance.0.store(left - length, Ordering::Relaxed);
        }
        self.rests = true;
        Poll::Ready(Some(Ok(self.piece.split_to(length))))
    }
}
