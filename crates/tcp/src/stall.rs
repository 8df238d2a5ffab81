//! [`StallGuard`]: ends connections whose peer stopped reading.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use secure_download_core::Patience;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::Connection;

/// A connection that fails with [`TimedOut`](io::ErrorKind::TimedOut) when data waits to be written and the peer takes
/// less than 4 KiB of it for as long as [`Patience`] allows: at 60 seconds, 68 bytes per second. A peer that took much before
/// may pause for longer.
///
/// The guard stands here and not in the body because a framework does not poll a body while the peer does not read.
/// A connection that it ends is reset, so that the kernel frees what it held for the peer at once.
#[derive(Debug)]
pub struct StallGuard {
    stream: Connection,
    patience: Patience,
    /// Runs while data waits; made at the first wait.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    /// Since the wait began.
    taken: usize,
    /// Over the connection's life.
    taken_in_all: u64,
}

impl StallGuard {
    /// Guards `stream`, whose peer may stop reading for `stall_timeout`.
    #[must_use]
    pub fn new(stream: impl Into<Connection>, stall_timeout: Duration) -> Self {
        Self {
            stream: stream.into(),
            patience: Patience::new(stall_timeout),
            timer: None,
            waiting: false,
            taken: 0,
            taken_in_all: 0,
        }
    }

    /// Notes how a write went.
    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                self.taken += count;
                self.taken_in_all += count as u64;
                if self.taken >= Patience::PROGRESS {
                    self.waiting = false;
                }
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    /// Pending until the peer's time is over, then the error.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let patience = self.patience.after(self.taken_in_all);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !self.waiting {
            self.waiting = true;
            self.taken = 0;
            timer.as_mut().reset(later(patience));
        }
        match timer.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.stream.reset_on_close();
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer stopped reading")))
            }
        }
    }
}

/// A time that the clock can show.
fn later(after: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + after.min(YEAR)
}

impl AsyncRead for StallGuard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buffer);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only called when everything was written: nothing waits any more.
        self.waiting = false;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
