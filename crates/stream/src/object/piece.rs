//! [`Piece`]: one range of an object, over as many requests as the store needs.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::future::BoxFuture;
use object_store::Error;
use secure_download_core::BoxError;
use tokio::time::{Sleep, sleep};

use super::pinned::{Pinned, StoreBytes};

/// How long a piece waits before each further request in a row that brings less than [`PROGRESS`].
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// What one request must bring before the pauses start anew, in bytes. A store that breaks earlier each time is given up.
const PROGRESS: u64 = 64 * 1024;

/// The bytes of one range of one state.
///
/// Stores and their clients end transfers: a client of `object_store` does so after three minutes with its own limits.
/// The piece asks for the rest then, by range and with the pinned tag or version, so a slow reader gets the whole file and
/// no file is mixed from two states.
pub(super) struct Piece {
    pinned: Pinned,
    /// What is still to come.
    rest: Range<u64>,
    /// What the current request has brought.
    brought: u64,
    /// How many requests in a row brought less than [`PROGRESS`].
    fruitless: usize,
    state: State,
}

enum State {
    Opening(BoxFuture<'static, Result<StoreBytes, Error>>),
    Reading(StoreBytes),
    Pausing(Pin<Box<Sleep>>),
}

impl Piece {
    /// A piece whose first request is answered already.
    pub(super) fn opened(pinned: Pinned, range: Range<u64>, bytes: StoreBytes) -> Self {
        Self { pinned, rest: range, brought: 0, fruitless: 0, state: State::Reading(bytes) }
    }

    /// A piece that asks the store when it is first read.
    pub(super) fn unopened(pinned: Pinned, range: Range<u64>) -> Self {
        let state = State::open(&pinned, range.clone());
        Self { pinned, rest: range, brought: 0, fruitless: 0, state }
    }

    /// Goes on with another request, or says that `error` is the end.
    fn resume(&mut self, error: BoxError) -> Result<(), BoxError> {
        self.fruitless = if self.brought >= PROGRESS { 0 } else { self.fruitless + 1 };
        self.brought = 0;
        let pause = PAUSES.get(self.fruitless).filter(|_| self.pinned.is_certain() && may_pass(&error));
        let pause = *pause.ok_or(error)?;
        self.state = if pause.is_zero() {
            State::open(&self.pinned, self.rest.clone())
        } else {
            State::Pausing(Box::pin(sleep(pause)))
        };
        Ok(())
    }
}

impl State {
    fn open(pinned: &Pinned, range: Range<u64>) -> Self {
        let pinned = pinned.clone();
        Self::Opening(Box::pin(async move { pinned.open(range).await }))
    }
}

impl Stream for Piece {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.rest.is_empty() {
            let error = match &mut this.state {
                State::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(bytes) => {
                        this.state = State::Reading(bytes);
                        continue;
                    }
                    Err(error) => error.into(),
                },
                State::Reading(bytes) => match ready!(Pin::new(bytes).poll_next(cx)) {
                    Some(Ok(chunk)) => {
                        let count = chunk.len() as u64;
                        this.brought += count;
                        this.rest.start += count;
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    None => "the store ended before the last byte".into(),
                    Some(Err(error)) => error,
                },
                State::Pausing(pause) => {
                    ready!(pause.as_mut().poll(cx));
                    this.state = State::open(&this.pinned, this.rest.clone());
                    continue;
                }
            };
            if let Err(error) = this.resume(error) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        Poll::Ready(None)
    }
}

/// Whether another request may fare better. One for another state, or without permission, does not.
fn may_pass(error: &BoxError) -> bool {
    !matches!(
        error.downcast_ref(),
        Some(
            Error::NotFound { .. }
                | Error::Precondition { .. }
                | Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }
                | Error::NotSupported { .. }
                | Error::NotImplemented { .. }
        )
    )
}
