//! [`Recycled`]: one buffer that is lent to the framework and comes back.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;

/// A buffer of which at most one chunk is under way. The next read waits until the framework has let go of the last.
pub(super) struct Recycled {
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    /// The buffer, unless it is lent.
    buffer: Option<Vec<u8>>,
    returned_at: Option<Instant>,
    waker: Option<Waker>,
}

impl Recycled {
    pub(super) fn new() -> Self {
        let shelf = Shelf { buffer: Some(Vec::new()), ..Shelf::default() };
        Self { shelf: Arc::new(Mutex::new(shelf)) }
    }

    /// The buffer once it is back, and when it came back if it was ever lent.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<(Vec<u8>, Option<Instant>)> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        match shelf.buffer.take() {
            Some(buffer) => Poll::Ready((buffer, shelf.returned_at.take())),
            None => {
                match &mut shelf.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    waker => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Lends the first `length` bytes of the buffer.
    pub(super) fn lend(&self, buffer: Vec<u8>, length: usize) -> Bytes {
        Bytes::from_owner(Lent { buffer, length, shelf: Arc::clone(&self.shelf) })
    }
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
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.buffer = Some(std::mem::take(&mut self.buffer));
            shelf.returned_at = Some(Instant::now());
            shelf.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
