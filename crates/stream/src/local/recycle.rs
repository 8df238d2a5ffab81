//! [`Recycled`]: buffers that are lent to the consumer of a body and come back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::demand::Demand;

/// The buffer of one body, used over and over. A consumer that keeps chunks is given others, as [`Demand`] says.
#[derive(Clone, Default)]
pub(super) struct Recycled {
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    demand: Demand,
    /// The buffer that came back last.
    buffer: Vec<u8>,
    /// How long the last chunk was, and when it was lent.
    lent: Option<(usize, Instant)>,
    /// When a chunk came back, if one did since.
    returned_at: Option<Instant>,
    waker: Option<Waker>,
}

/// A buffer to fill and to lend.
pub(super) struct Taken {
    pub(super) buffer: Vec<u8>,
    /// How long the last chunk was and how long the consumer held it, if it came back.
    pub(super) held: Option<(usize, Duration)>,
    /// How long the next chunk should be, unless the reader's pace decides.
    pub(super) size: Option<usize>,
}

impl Recycled {
    /// A buffer if one is due, else when it is due at the latest. If a chunk comes back before, the task is woken.
    pub(super) fn take(&self, cx: &Context<'_>) -> Result<Taken, Instant> {
        let mut shelf = lock(&self.shelf);
        let wait = shelf.demand.wait();
        if let Some((_, lent_at)) = shelf.lent
            && !wait.is_zero()
            && lent_at.elapsed() < wait
        {
            match &mut shelf.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                waker => *waker = Some(cx.waker().clone()),
            }
            return Err(lent_at + wait);
        }
        let held = match (shelf.lent, shelf.returned_at.take()) {
            (Some((length, lent_at)), Some(returned_at)) => {
                Some((length, returned_at.saturating_duration_since(lent_at)))
            }
            _ => None,
        };
        let size = shelf.demand.size();
        Ok(Taken { buffer: std::mem::take(&mut shelf.buffer), held, size })
    }

    /// Lends the first `length` bytes of the buffer.
    pub(super) fn lend(&self, buffer: Vec<u8>, length: usize) -> Bytes {
        let mut shelf = lock(&self.shelf);
        shelf.demand.lent();
        shelf.lent = Some((length, Instant::now()));
        drop(shelf);
        Bytes::from_owner(Lent { buffer, length, shelf: Arc::clone(&self.shelf) })
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Lent {
    buffer: Vec<u8>,
    length: usize,
    shelf: Arc<Mutex<Shelf>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let waker = {
            let mut shelf = lock(&self.shelf);
            let now = Instant::now();
            let since_lent = shelf.lent.map_or(Duration::ZERO, |(_, at)| now.saturating_duration_since(at));
            shelf.demand.returned(since_lent);
            shelf.buffer = std::mem::take(&mut self.buffer);
            shelf.returned_at = Some(now);
            shelf.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
