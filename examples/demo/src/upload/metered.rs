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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt as _, stream};
    use multer::Multipart;

    use super::*;

    const CHUNK: usize = 1024;

    /// A body that is always ready: `start`, then 8 MiB of nothing, then `end`. Counts what was taken of it.
    fn body(
        start: &str,
        end: &str,
    ) -> (impl Stream<Item = Result<Bytes, Infallible>> + Unpin, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let padding = std::iter::repeat_n(Bytes::from_static(&[b'a'; CHUNK]), 8 * 1024);
        let edge = |text: &str| std::iter::once(Bytes::from(text.to_owned()));
        let chunks: Vec<_> = edge(start).chain(padding).chain(edge(end)).collect();
        let chunks = stream::iter(chunks).inspect(move |chunk| {
            counter.fetch_add(chunk.len(), Ordering::Relaxed);
        });
        (chunks.map(Ok), taken)
    }

    #[tokio::test]
    async fn a_form_that_comes_to_no_part_is_given_up() {
        for start in ["", "--x\r\nX-Pad: ", "--x"] {
            let (body, taken) = body(start, "\r\n--x--\r\n");
            let (body, allowance) = Metered::new(body);
            let mut form = Multipart::new(body, "x");
            allowance.for_head();
            assert!(form.next_field().await.is_err(), "{start}");
            let taken = taken.load(Ordering::Relaxed);
            assert!(taken <= HEAD + CHUNK, "{start}: {taken}");
        }
    }

    #[tokio::test]
    async fn content_is_read_as_it_is_taken() {
        let (body, taken) = body("--x\r\nA: b\r\n\r\n", "\r\n--x\r\nC: d\r\n\r\nend\r\n--x--\r\n");
        let (body, allowance) = Metered::new(body);
        let mut form = Multipart::new(body, "x");
        allowance.for_head();
        let mut first = form.next_field().await.expect("a form").expect("a part");
        allowance.for_content();
        let mut length = 0;
        while let Some(chunk) = first.chunk().await.expect("content") {
            length += chunk.len();
            let ahead = taken.load(Ordering::Relaxed) - length;
            assert!(ahead <= 2 * PIECE, "{ahead} bytes ahead");
        }
        assert_eq!(length, 8 << 20);
        drop(first);
        allowance.for_head();
        let second = form.next_field().await.expect("a form").expect("a part");
        allowance.for_content();
        assert_eq!(second.bytes().await.expect("content"), "end");
        allowance.for_head();
        assert!(form.next_field().await.expect("a form").is_none());
    }
}
