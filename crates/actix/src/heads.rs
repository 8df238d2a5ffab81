//! [`HeadGuard`]: the time that a client has for the head of its next request.
//!
//! actix gives a client time for the first head of a connection, and time to stay without a request. It stops both clocks at
//! the first byte of a further head, so that a client which never ends that head holds its connection.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use secure_download_tcp::StallGuard;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection that ends if no whole head comes in time after a request.
pub(crate) struct HeadGuard {
    stream: StallGuard,
    requests: Requests,
    /// From the end of one request to the head of the next.
    time: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Nothing more is sent.
    ended: bool,
}

/// The requests of one connection, one after the other.
#[derive(Clone, Default)]
pub(crate) struct Requests(Rc<State>);

#[derive(Default)]
struct State {
    running: Cell<usize>,
    /// The last answer said that the connection ends.
    closing: Cell<bool>,
    /// When the last request ended.
    ended: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

/// A request that is being answered.
pub(crate) struct Running(Requests);

impl Requests {
    pub(crate) fn begin(&self) -> Running {
        self.0.running.set(self.0.running.get() + 1);
        Running(self.clone())
    }

    /// Further requests will not be answered.
    pub(crate) fn close(&self) {
        self.0.closing.set(true);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let state = &self.0.0;
        state.running.set(state.running.get() - 1);
        if state.running.get() == 0 {
            state.ended.set(Some(Instant::now()));
            // The connection looks at the clock when it reads next.
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }
}

impl HeadGuard {
    /// Without a `time` there is none.
    pub(crate) fn new(stream: StallGuard, time: Option<Duration>) -> Self {
        Self { stream, requests: Requests::default(), time, timer: None, ended: false }
    }

    pub(crate) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Ready once the time is over.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let state = &self.requests.0;
        let (Some(time), Some(ended)) = (self.time, state.ended.get()) else {
            state.waker.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        };
        if state.running.get() > 0 {
            state.waker.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let deadline = ended + time;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

impl AsyncRead for HeadGuard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            return Poll::Ready(result);
        }
        self.poll_late(cx).map(|()| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the head of the next request did not come"))
        })
    }
}

impl AsyncWrite for HeadGuard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        let state = &self.requests.0;
        if state.closing.get() && state.running.get() == 0 {
            // actix reads on for a while if the client still sends. Whoever waits for the announced end need not.
            return self.poll_shutdown(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ended {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// The body of an answer; its request runs until it is dropped.
pub(crate) struct Answering<B> {
    body: Pin<Box<B>>,
    _request: Option<Running>,
}

impl<B> Answering<B> {
    pub(crate) fn new(body: B, request: Option<Running>) -> Self {
        Self { body: Box::pin(body), _request: request }
    }
}

impl<B: MessageBody> MessageBody for Answering<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.body.as_mut().poll_next(cx)
    }
}
