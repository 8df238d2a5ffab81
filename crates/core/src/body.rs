//! [`Body`]: empty, one buffer, or a stream of exactly known length.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};

use crate::BoxError;
use crate::parts::{Part, Parts};
use crate::tracking::Tracking;

type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// A response body whose length is known before its first byte.
///
/// A source that ends early or yields too much is an error, so that the client sees a broken transfer and never a
/// short file that looks whole. Frameworks poll it as an [`http_body::Body`] or through [`Body::poll_chunk`].
///
/// ```
/// use secure_download_core::Body;
///
/// let body = Body::stream(10, futures::stream::iter([Ok("hello ".into()), Ok("you!".into())]));
/// assert_eq!(body.remaining(), 10);
/// ```
pub struct Body {
    source: Source,
    remaining: u64,
    tracking: Option<Tracking>,
}

enum Source {
    Buffer(Bytes),
    Stream(ByteStream),
    /// No content, not even of length zero.
    Absent,
    /// Nothing is left, or nothing can be trusted any more.
    Ended,
}

impl Body {
    /// No bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self { source: Source::Ended, remaining: 0, tracking: None }
    }

    /// The body of a 304, which has none: of unknown length, so that no framework announces a `Content-Length` of zero.
    /// RFC 9110 section 8.6 allows none there but the length of the 200.
    pub(crate) fn absent() -> Self {
        Self { source: Source::Absent, remaining: 0, tracking: None }
    }

    /// One buffer, sent as it is.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let remaining = bytes.len() as u64;
        let source = if bytes.is_empty() { Source::Ended } else { Source::Buffer(bytes) };
        Self { source, remaining, tracking: None }
    }

    /// Exactly `length` bytes from `stream`. The stream is polled only while its consumer wants more.
    ///
    /// Consumers differ in what they hold, and `stream` must come to its end with each of them:
    ///
    /// - A server holds a chunk until it is on its way, for as long as its client does not read. It may poll meanwhile, and
    ///   hyper holds up to sixteen chunks or 400 KiB if it gets them at once. A stream with thousands of readers waits before
    ///   it gives the next chunk.
    /// - A reader may hold the last chunk until it has the next one.
    /// - A collector (`to_bytes`, a layer that buffers) holds every chunk until the end. A stream that waits until its last
    ///   chunk was dropped never ends there: give another one after some time.
    pub fn stream(length: u64, stream: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static) -> Self {
        let source = if length == 0 { Source::Ended } else { Source::Stream(Box::pin(stream)) };
        Self { source, remaining: length, tracking: None }
    }

    /// The parts that a [`Selection`](crate::Selection) asks for: literal framing as it is, and for each piece of
    /// the file the stream that `open` returns, opened when its turn has come.
    pub fn parts<St>(parts: Parts, mut open: impl FnMut(Range<u64>) -> St + Send + 'static) -> Self
    where
        St: Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
    {
        let length = parts.length();
        match parts {
            Parts::One(range) if range.is_empty() => Self::empty(),
            Parts::One(range) => Self::stream(length, open(range)),
            Parts::Many(parts) => {
                Self::stream(length, PartStream { rest: parts.into_iter(), open, current: None })
            }
        }
    }

    /// How many bytes are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn track(mut self, tracking: Tracking) -> Self {
        self.tracking = Some(tracking);
        self
    }

    /// The next bytes, never empty; `None` behind the last.
    ///
    /// # Errors
    /// [`BodyError`] if the source failed or its length was not the announced one. Nothing comes after an error.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if matches!(self.source, Source::Ended | Source::Absent) {
            return Poll::Ready(None);
        }
        if let Some(tracking) = &mut self.tracking {
            if let Err(error) = ready!(tracking.poll_commit(cx)) {
                return self.fail(BodyError::Commit(error));
            }
            if tracking.came_back_too_late() {
                return self.fail(BodyError::Stalled);
            }
        }
        let chunk = match &mut self.source {
            Source::Ended | Source::Absent => return Poll::Ready(None),
            Source::Buffer(bytes) => std::mem::take(bytes),
            Source::Stream(stream) => match ready!(stream.as_mut().poll_next(cx)) {
                // Other tasks get their turn, should there be no end of it.
                Some(Ok(chunk)) if chunk.is_empty() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return self.fail(BodyError::Source(error)),
                None => return self.fail(BodyError::Short { missing: self.remaining }),
            },
        };
        let Some(remaining) = self.remaining.checked_sub(chunk.len() as u64) else {
            return self.fail(BodyError::Long);
        };
        self.remaining = remaining;
        if remaining == 0 {
            // Lets go of files and connections before the last bytes are on their way.
            self.source = Source::Ended;
        }
        let chunk = match &mut self.tracking {
            Some(tracking) => tracking.wrap(chunk),
            None => chunk,
        };
        if remaining == 0 {
            self.tracking = None;
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.source = Source::Ended;
        self.tracking = None;
        Poll::Ready(Some(Err(error)))
    }
}

/// Literals and pieces of the file in turn.
struct PartStream<F, St> {
    rest: std::vec::IntoIter<Part>,
    open: F,
    /// The open piece and how many bytes of it are still to come.
    current: Option<(Pin<Box<St>>, u64)>,
}

// The pinned stream is boxed, nothing else is.
impl<F, St> Unpin for PartStream<F, St> {}

impl<F, St> Stream for PartStream<F, St>
where
    F: FnMut(Range<u64>) -> St,
    St: Stream<Item = Result<Bytes, BoxError>>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some((piece, left)) = &mut this.current {
                match ready!(piece.as_mut().poll_next(cx)) {
                    Some(Ok(chunk)) => {
                        // Each piece has its own length to keep: framing must not shift.
                        let Some(rest) = left.checked_sub(chunk.len() as u64) else {
                            return Poll::Ready(Some(Err(BodyError::Long.into())));
                        };
                        *left = rest;
                        if rest == 0 {
                            this.current = None;
                        }
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        let error = BodyError::Short { missing: *left };
                        return Poll::Ready(Some(Err(error.into())));
                    }
                }
            }
            match this.rest.next() {
                None => return Poll::Ready(None),
                Some(Part::Literal(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Part::File(range)) => {
                    let length = range.end - range.start;
                    this.current = Some((Box::pin((this.open)(range)), length));
                }
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_chunk(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Ended | Source::Absent)
    }

    fn size_hint(&self) -> SizeHint {
        match self.source {
            Source::Absent => SizeHint::new(),
            _ => SizeHint::with_exact(self.remaining),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

/// Why a body broke off. The client sees a transfer that ends early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The source ended too early.
    #[error("the source ended {missing} bytes early")]
    Short {
        /// How many announced bytes are missing.
        missing: u64,
    },
    /// The source yielded more than was announced.
    #[error("the source yielded more bytes than were announced")]
    Long,
    /// The source failed.
    #[error("the source failed")]
    Source(#[source] BoxError),
    /// The client stopped reading for longer than [`Patience`](crate::Patience) allows, and lost its place.
    #[error("the client stopped reading for too long")]
    Stalled,
    /// The use of a limited grant could not be committed, so nothing was sent.
    #[error("the use could not be committed")]
    Commit(#[source] BoxError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use futures::executor::block_on;

    fn collect(mut body: Body) -> (Vec<u8>, Option<BodyError>) {
        let mut bytes = Vec::new();
        loop {
            match block_on(std::future::poll_fn(|cx| body.poll_chunk(cx))) {
                Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
                Some(Err(error)) => {
                    assert!(block_on(std::future::poll_fn(|cx| body.poll_chunk(cx))).is_none());
                    return (bytes, Some(error));
                }
                None => return (bytes, None),
            }
        }
    }

    fn chunks(items: &'static [&'static str]) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
        futures::stream::iter(items).map(|&item| match item {
            "!" => Err("broken".into()),
            item => Ok(item.into()),
        })
    }

    #[test]
    fn the_announced_length_is_kept_or_the_transfer_fails() {
        assert!(matches!(collect(Body::empty()), (bytes, None) if bytes.is_empty()));
        assert!(matches!(collect(Body::full("abc")), (bytes, None) if bytes == b"abc"));
        assert!(
            matches!(collect(Body::stream(5, chunks(&["ab", "", "cde"]))), (bytes, None) if bytes == b"abcde")
        );
        assert!(matches!(collect(Body::stream(0, chunks(&["ab"]))), (bytes, None) if bytes.is_empty()));
        let short = collect(Body::stream(5, chunks(&["ab"])));
        assert!(matches!(short, (bytes, Some(BodyError::Short { missing: 3 })) if bytes == b"ab"));
        let long = collect(Body::stream(5, chunks(&["ab", "cdef", "g"])));
        assert!(matches!(long, (bytes, Some(BodyError::Long)) if bytes == b"ab"));
        let broken = collect(Body::stream(5, chunks(&["ab", "!", "cde"])));
        assert!(matches!(broken, (bytes, Some(BodyError::Source(_))) if bytes == b"ab"));
    }

    #[test]
    fn each_part_keeps_its_own_length_or_the_transfer_fails() {
        let ranges = || {
            vec![Part::Literal("<".into()), Part::File(0..2), Part::Literal(">".into()), Part::File(7..10)]
        };
        let parts = |pieces: [&'static [&'static str]; 2]| {
            let mut pieces = pieces.into_iter();
            collect(Body::parts(Parts::Many(ranges()), move |_| chunks(pieces.next().unwrap_or_default())))
        };
        assert!(matches!(parts([&["ab"], &["h", "ij"]]), (bytes, None) if bytes == b"<ab>hij"));
        // As long as announced in all, but the boundary would stand in the wrong place.
        assert!(matches!(parts([&["abc"], &["ij"]]), (bytes, Some(BodyError::Source(_))) if bytes == b"<"));
        assert!(
            matches!(parts([&["a"], &["hij", "k"]]), (bytes, Some(BodyError::Source(_))) if bytes == b"<a")
        );
        assert!(
            matches!(parts([&["a", "!"], &["hij"]]), (bytes, Some(BodyError::Source(_))) if bytes == b"<a")
        );
        assert!(matches!(parts([&["ab"], &[]]), (bytes, Some(BodyError::Source(_))) if bytes == b"<ab>"));
    }

    #[test]
    fn a_source_of_nothing_holds_up_nobody_else() {
        let empty = futures::stream::repeat_with(|| Ok(Bytes::new()));
        let mut body = Body::stream(1, empty);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(body.poll_chunk(&mut cx).is_pending());
    }

    #[test]
    fn the_end_is_known_with_the_last_chunk() {
        use http_body::Body as _;
        let mut body = Body::stream(5, chunks(&["ab", "cde", "never polled"]));
        for (remaining, end) in [(3, false), (0, true)] {
            assert!(block_on(std::future::poll_fn(|cx| body.poll_chunk(cx))).is_some());
            assert_eq!((body.remaining(), body.is_end_stream()), (remaining, end));
        }
        assert!(Body::empty().is_end_stream());
        assert_eq!(Body::full("abc").size_hint().exact(), Some(3));
        assert!(Body::absent().is_end_stream());
        assert_eq!(Body::absent().size_hint().exact(), None, "a 304 announces no length");
    }
}
