//! [`DeliveredBody`]: a gate's body as actix takes it.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use http_body::Body as _;
use secure_download_core::{Body, BodyError};

/// After so many bytes without a pause, other tasks get their turn: actix asks a body that is always ready until the
/// client's socket is full.
const TURN: usize = 512 * 1024;

/// The body of a [`Delivered`](crate::Delivered) response. The adapter copies no byte of it.
#[derive(Debug)]
pub struct DeliveredBody {
    body: Body,
    size: BodySize,
    /// The chunk that actix was given last. actix copies chunks and lets go of them at once; that they are on their way
    /// shows when it asks for the next one. Until then the chunk counts as held, so that a source which follows the
    /// reader's pace sees that pace, and bytes count as sent no earlier than they left.
    held: Option<Bytes>,
    since_pause: usize,
}

impl DeliveredBody {
    pub(crate) fn new(body: Body) -> Self {
        let size = body.size_hint().exact().map_or(BodySize::None, BodySize::Sized);
        Self { body, size, held: None, since_pause: 0 }
    }

    /// What follows the head of an answer to HEAD: nothing, although a length is announced. To actix it is a stream, whose
    /// `Content-Length` is left alone.
    pub(crate) fn of_head() -> Self {
        Self { size: BodySize::Stream, ..Self::new(Body::empty()) }
    }
}

impl MessageBody for DeliveredBody {
    type Error = BodyError;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.held = None;
        if self.since_pause >= TURN {
            self.since_pause = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let chunk = self.body.poll_chunk(cx);
        match &chunk {
            Poll::Ready(Some(Ok(bytes))) => {
                self.since_pause += bytes.len();
                self.held = Some(bytes.clone());
            }
            Poll::Ready(_) => {}
            Poll::Pending => self.since_pause = 0,
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(body: &mut DeliveredBody, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        Pin::new(body).poll_next(cx)
    }

    #[test]
    fn the_bytes_are_those_of_the_source() {
        let source = Bytes::from(vec![7; 1000]);
        let mut body = DeliveredBody::new(Body::full(source.clone()));
        assert_eq!(body.size(), BodySize::Sized(1000));
        match poll(&mut body, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(chunk))) => assert_eq!(chunk.as_ptr(), source.as_ptr(), "no copy"),
            other => panic!("{other:?}"),
        }
        drop(source.clone());
        assert!(matches!(poll(&mut body, &mut Context::from_waker(Waker::noop())), Poll::Ready(None)));
        assert!(source.is_unique(), "let go of when the next is asked for");
    }

    #[test]
    fn a_body_that_is_always_ready_lets_others_have_a_turn() {
        let chunks = futures::stream::repeat_with(|| Ok(Bytes::from_static(&[7; 64 * 1024])));
        let mut body = DeliveredBody::new(Body::stream(1 << 40, chunks));
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        for turn in 1..=3 {
            let ready = (0..1000).take_while(|_| poll(&mut body, &mut cx).is_ready()).count();
            assert_eq!(ready * 64 * 1024, TURN);
            assert_eq!(woken.0.load(Ordering::Relaxed), turn, "its own next turn is asked for");
        }
    }
}
