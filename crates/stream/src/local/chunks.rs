//! [`FileChunks`]: a range of a file, one chunk at a time.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use secure_download_core::BoxError;
use tokio::task::JoinHandle;

use super::file::{OpenFile, ReadNow, ended_early};
use super::recycle::Recycled;

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

/// The bytes of one range of a file. At most one chunk is in memory.
pub(crate) struct FileChunks {
    file: Arc<OpenFile>,
    range: Range<u64>,
    /// How much was handed out, at most as much as matters.
    sent: usize,
    buffer: Recycled,
    /// How large a chunk the reader's pace allows.
    size: usize,
    /// How long the last chunk was, and when it was handed out.
    lent: Option<(usize, Instant)>,
    since_pause: usize,
    on_pool: Option<JoinHandle<Read>>,
}

impl FileChunks {
    pub(crate) fn new(file: Arc<OpenFile>, range: Range<u64>) -> Self {
        Self {
            file,
            range,
            sent: 0,
            buffer: Recycled::new(),
            size: UNTRIED,
            lent: None,
            since_pause: 0,
            on_pool: None,
        }
    }

    /// Follows the reader: how long did the framework hold the last chunk?
    fn adapt(&mut self, returned_at: Option<Instant>) {
        let (Some((length, lent_at)), Some(returned_at)) = (self.lent, returned_at) else { return };
        let held = returned_at.saturating_duration_since(lent_at);
        if held <= FAST {
            self.size = (self.size * 2).min(LARGEST);
        } else if held >= SLOW {
            // As much as it would take within that time.
            let share = length as u128 * SLOW.as_nanos() / held.as_nanos();
            self.size =
                usize::try_from(share).unwrap_or(LARGEST).next_power_of_two().clamp(SMALLEST, LARGEST);
        }
    }

    /// How long the next chunk shall be.
    fn next_size(&self) -> usize {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let most = if self.sent < LARGEST { UNTRIED } else { LARGEST };
        self.size.min(most).min(left)
    }

    /// The buffer, as large as the next chunk shall be and no larger.
    fn fit(&self, mut buffer: Vec<u8>) -> Vec<u8> {
        let size = self.next_size();
        if buffer.len() != size {
            if buffer.capacity() < size || buffer.capacity() > 2 * size {
                buffer = Vec::with_capacity(size);
            }
            buffer.resize(size, 0);
        }
        buffer
    }

    fn hand_out(&mut self, buffer: Vec<u8>, count: usize) -> Poll<Option<Result<Bytes, BoxError>>> {
        if count == 0 {
            return Poll::Ready(Some(Err(ended_early().into())));
        }
        self.range.start += count as u64;
        self.sent = (self.sent + count).min(LARGEST);
        self.since_pause += count;
        self.lent = Some((count, Instant::now()));
        Poll::Ready(Some(Ok(self.buffer.lend(buffer, count))))
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
            let Poll::Ready((buffer, returned_at)) = this.buffer.poll_take(cx) else {
                this.since_pause = 0;
                return Poll::Pending;
            };
            this.adapt(returned_at);
            let mut buffer = this.fit(buffer);
            match this.file.read_now(this.range.start, &mut buffer) {
                Ok(ReadNow::Bytes(count)) => {
                    if let Err(error) = this.file.unchanged() {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    return this.hand_out(buffer, count);
                }
                Ok(ReadNow::NotCached) => {
                    let (file, offset) = (Arc::clone(&this.file), this.range.start);
                    this.on_pool = Some(tokio::task::spawn_blocking(move || {
                        let count = file.read_waiting(offset, &mut buffer)?;
                        // Here, because on a network stat waits too.
                        file.unchanged()?;
                        Ok((buffer, count))
                    }));
                }
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}
