//! [`FileChunks`]: a range of a file, one chunk at a time.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use secure_download_core::BoxError;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::file::{Checked, OpenFile, ended_early};
use super::recycle::{Recycled, Taken};

/// What a slow reader holds.
const SMALLEST: usize = 4 * 1024;
/// What every reader gets until as much was sent as a large chunk holds: only when the kernel's own buffers are full does it
/// show who is slow, and who is shall not be left with much.
const UNTRIED: usize = 8 * 1024;
/// What a fast reader gets. Larger chunks were measured to gain nothing.
const LARGEST: usize = 64 * 1024;

/// A chunk that the framework lets go of so soon makes the next one larger.
const FAST: Duration = Duration::from_millis(5);
/// One that it holds so long makes the next one smaller, in proportion.
const SLOW: Duration = Duration::from_millis(50);

/// After so many bytes without a pause, other tasks get their turn.
const TURN: usize = 256 * 1024;

type Read = io::Result<(Vec<u8>, usize)>;

/// The bytes of one range of a file. One chunk is in memory, unless the consumer keeps chunks.
pub(crate) struct FileChunks {
    file: Arc<OpenFile>,
    range: Range<u64>,
    /// How much was handed out, at most as much as matters.
    sent: usize,
    buffer: Recycled,
    /// How large a chunk the reader's pace allows.
    size: usize,
    /// When a consumer that holds chunks is given another. Made when it is first needed, and left running: a chunk that
    /// comes back meanwhile costs no change of it.
    timer: Option<Pin<Box<Sleep>>>,
    since_pause: usize,
    on_pool: Option<JoinHandle<Read>>,
}

impl FileChunks {
    fn new(file: Arc<OpenFile>, range: Range<u64>, buffer: Recycled) -> Self {
        Self { file, range, sent: 0, buffer, size: UNTRIED, timer: None, since_pause: 0, on_pool: None }
    }

    /// Makes the chunks of each range of one body.
    pub(crate) fn of(file: Arc<OpenFile>) -> impl FnMut(Range<u64>) -> Self + Send + 'static {
        let buffer = Recycled::default();
        move |range| Self::new(Arc::clone(&file), range, buffer.clone())
    }

    /// Follows the reader: how long did the consumer hold the last chunk?
    fn adapt(&mut self, length: usize, held: Duration) {
        if held <= FAST {
            self.size = (self.size * 2).min(LARGEST);
        } else if held >= SLOW {
            // As much as it would take within that time.
            let share = length as u128 * SLOW.as_nanos() / held.as_nanos();
            self.size =
                usize::try_from(share).unwrap_or(LARGEST).next_power_of_two().clamp(SMALLEST, LARGEST);
        }
    }

    /// How long the next chunk is to be.
    fn next_size(&self, wanted: Option<usize>) -> usize {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let most = if self.sent < LARGEST { UNTRIED } else { LARGEST };
        wanted.unwrap_or(self.size.min(most)).min(left)
    }

    /// A buffer as large as the next chunk is to be and no larger, once one is due.
    fn poll_buffer(&mut self, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        loop {
            match self.buffer.take(cx) {
                Ok(Taken { mut buffer, held, size }) => {
                    if let Some((length, held)) = held {
                        self.adapt(length, held);
                    }
                    let size = self.next_size(size);
                    if buffer.len() != size {
                        if buffer.capacity() < size || buffer.capacity() > 2 * size {
                            buffer = Vec::with_capacity(size);
                        }
                        buffer.resize(size, 0);
                    }
                    return Poll::Ready(buffer);
                }
                Err(due) => ready!(self.poll_timer(due, cx)),
            }
        }
    }

    /// Ready at `due` or before.
    fn poll_timer(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if Handle::try_current().is_err() {
            // No timer without a runtime: asks again.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.is_elapsed() || timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }

    fn hand_out(&mut self, buffer: Vec<u8>, count: usize) -> Poll<Option<Result<Bytes, BoxError>>> {
        if count == 0 {
            return Poll::Ready(Some(Err(ended_early().into())));
        }
        self.range.start += count as u64;
        self.sent = (self.sent + count).min(LARGEST);
        self.since_pause += count;
        Poll::Ready(Some(Ok(self.buffer.lend(buffer, count))))
    }

    /// Checks, or reads and checks, where waiting is allowed.
    fn on_pool(&mut self, mut buffer: Vec<u8>, read: Option<usize>) {
        let (file, offset) = (Arc::clone(&self.file), self.range.start);
        self.on_pool = Some(tokio::task::spawn_blocking(move || {
            let count = match read {
                Some(count) => count,
                None => file.read_waiting(offset, &mut buffer)?,
            };
            // Here, because on a network stat waits too.
            file.check_waiting()?;
            Ok((buffer, count))
        }));
    }
}

impl Stream for FileChunks {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.range.is_empty() {
            return Poll::Ready(None);
        }
        loop {
            if let Some(reading) = &mut this.on_pool {
                let read = ready!(Pin::new(reading).poll(cx));
                this.on_pool = None;
                this.since_pause = 0;
                return match read {
                    Ok(Ok((buffer, count))) => this.hand_out(buffer, count),
                    Ok(Err(error)) => Poll::Ready(Some(Err(error.into()))),
                    Err(error) => Poll::Ready(Some(Err(error.into()))),
                };
            }
            if this.since_pause >= TURN {
                this.since_pause = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Poll::Ready(mut buffer) = this.poll_buffer(cx) else {
                this.since_pause = 0;
                return Poll::Pending;
            };
            match this.file.read_now(this.range.start, &mut buffer) {
                Ok(Some(count)) => match this.file.check() {
                    Ok(Checked::Same) => return this.hand_out(buffer, count),
                    Ok(Checked::LookUp) => this.on_pool(buffer, Some(count)),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                },
                Ok(None) => this.on_pool(buffer, None),
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}
