//! [`Streams`]: the streams of one HTTP/2 connection, and which of them their client stopped reading.
//!
//! Over HTTP/2 a client stops one stream by not opening its window: nothing waits at the socket then, and the framework
//! does not poll the body. So the bytes that were handed to the framework are watched, and a stream that makes no progress for
//! longer than [`Patience`] allows is reset from outside.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use secure_download_core::Patience;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The streams that are open, as one shared list.
#[derive(Clone)]
pub(super) struct Streams {
    patience: Patience,
    begun: Instant,
    list: Arc<Mutex<List>>,
}

#[derive(Default)]
struct List {
    open: Vec<Arc<Stream>>,
    /// Its task is spawned next: hyper calls the service, then spawns what it returned.
    unspawned: Option<Arc<Stream>>,
}

/// One request and its answer.
struct Stream {
    begun: Instant,
    task: OnceLock<AbortHandle>,
    /// Bytes that were handed to the framework and did not leave yet.
    waiting: AtomicU64,
    /// Bytes that left.
    taken: AtomicU64,
    /// Milliseconds from `begun` to the last progress, or to the first byte that waits.
    progress: AtomicU64,
    /// Bytes that left since.
    left_since: AtomicUsize,
}

/// What a look at all streams found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No request is open.
    Idle,
    /// Some client reads, or may still pause.
    Busy,
    /// Every stream that is open is stalled, and none of them can be reset by itself any more.
    Stuck,
}

impl Streams {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, begun: Instant::now(), list: Arc::default() }
    }

    /// Begins a stream. To be called by the service, in its call.
    pub(super) fn open(&self) -> Watched {
        let stream = Arc::new(Stream {
            begun: self.begun,
            task: OnceLock::new(),
            waiting: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            left_since: AtomicUsize::new(0),
        });
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.open.push(Arc::clone(&stream));
        list.unspawned = Some(Arc::clone(&stream));
        Watched(stream)
    }

    /// Resets the streams whose clients stopped reading for too long.
    pub(super) fn reset_stalled(&self) -> Found {
        let now = Instant::now();
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        // What only this list holds is over.
        list.open.retain(|stream| Arc::strong_count(stream) > 1);
        if list.open.is_empty() {
            return Found::Idle;
        }
        let mut stuck = true;
        for stream in &list.open {
            let stalled = stream.stalled_for(now) > self.patience.after(stream.taken.load(Ordering::Relaxed));
            match stream.task.get() {
                Some(task) if stalled && !task.is_finished() => {
                    // Dropping the sender of a stream resets it.
                    task.abort();
                    stuck = false;
                }
                _ => stuck &= stalled,
            }
        }
        if stuck { Found::Stuck } else { Found::Busy }
    }
}

impl Stream {
    fn stalled_for(&self, now: Instant) -> Duration {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return Duration::ZERO;
        }
        let last = self.begun + Duration::from_millis(self.progress.load(Ordering::Relaxed));
        now.saturating_duration_since(last)
    }

    fn progressed(&self) {
        self.left_since.store(0, Ordering::Relaxed);
        let millis = self.begun.elapsed().as_millis();
        self.progress.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn hand_out(&self, bytes: usize) {
        if self.waiting.fetch_add(bytes as u64, Ordering::Relaxed) == 0 {
            self.progressed();
        }
    }

    fn left(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
        if self.left_since.fetch_add(bytes, Ordering::Relaxed) + bytes >= Patience::PROGRESS {
            self.progressed();
        }
    }
}

/// Spawns each stream, and remembers its task.
impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let task = tokio::spawn(future);
        let unspawned = self.list.lock().unwrap_or_else(PoisonError::into_inner).unspawned.take();
        if let Some(stream) = unspawned {
            let _ = stream.task.set(task.abort_handle());
        }
    }
}

/// A stream that is not answered yet.
pub(super) struct Watched(Arc<Stream>);

impl Watched {
    /// The body of the answer.
    pub(super) fn body(self, body: Body) -> WatchedBody {
        WatchedBody { body, stream: self.0 }
    }
}

/// A body whose bytes are watched until they leave.
pub(super) struct WatchedBody {
    body: Body,
    stream: Arc<Stream>,
}

impl HttpBody for WatchedBody {
    type Data = WatchedBytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<WatchedBytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|bytes| {
                    self.stream.hand_out(bytes.len());
                    WatchedBytes { bytes, stream: Arc::clone(&self.stream) }
                })
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes on their way out.
pub(super) struct WatchedBytes {
    bytes: Bytes,
    stream: Arc<Stream>,
}

impl Buf for WatchedBytes {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.stream.left(count);
    }
}

impl Drop for WatchedBytes {
    fn drop(&mut self) {
        self.stream.waiting.fetch_sub(self.bytes.len() as u64, Ordering::Relaxed);
    }
}
