//! [`Renewed`]: what a provider gives, and how long a request waits for it.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use secure_download_core::BoxError;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::in_time::{PATIENCE, Silent};

/// What lasts this long is good for a URL whose own life is longer: it ends with its credentials.
const GOOD: Duration = Duration::from_secs(60);

/// A credential or key.
pub(crate) trait Lasting: Send + Sync + 'static {
    /// How long a URL that is signed at `now` may live as far as this goes.
    fn left(&self, now: SystemTime) -> Duration;
}

/// What a provider gives. It is asked for each signature, by one question at a time.
pub(crate) struct Renewed<V> {
    ask: Box<dyn Fn() -> BoxFuture<'static, Result<Arc<V>, BoxError>> + Send + Sync>,
    state: Mutex<State<V>>,
}

struct State<V> {
    questions: u64,
    latest: Option<Dated<V>>,
    asking: Option<Asking<V>>,
}

/// What was given, and when it was asked for: more than its age is not known of some.
struct Dated<V> {
    value: Arc<V>,
    asked_at: SystemTime,
}

impl<V: Lasting> Dated<V> {
    fn left(&self, now: SystemTime) -> Duration {
        let age = now.duration_since(self.asked_at).unwrap_or_default();
        self.value.left(now).min(self.value.left(self.asked_at).saturating_sub(age))
    }
}

type Answer<V> = Result<Arc<V>, ProviderFailed>;

/// One question to the provider, whose answer every request takes that needs one.
struct Asking<V> {
    number: u64,
    since: Instant,
    asked_at: SystemTime,
    answer: Shared<BoxFuture<'static, Answer<V>>>,
}

impl<V> Clone for Asking<V> {
    fn clone(&self) -> Self {
        Self { number: self.number, since: self.since, asked_at: self.asked_at, answer: self.answer.clone() }
    }
}

#[derive(Debug, Clone, thiserror::Error)]
enum ProviderFailed {
    #[error("the provider of credentials failed: {0}")]
    Failed(Arc<BoxError>),
    #[error("the provider of credentials panicked")]
    Panicked,
    #[error(transparent)]
    Silent(#[from] Silent),
}

impl<V: Lasting> Renewed<V> {
    pub(crate) fn new(
        ask: impl Fn() -> BoxFuture<'static, Result<Arc<V>, BoxError>> + Send + Sync + 'static,
    ) -> Self {
        Self { ask: Box::new(ask), state: Mutex::new(State { questions: 0, latest: None, asking: None }) }
    }

    /// What signs at `now`, and how long its URL may live as far as that goes.
    ///
    /// A provider that answers at once is always believed. While one takes its time, or fails, the latest value signs as
    /// long as it is good.
    pub(crate) async fn get(
        &self,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<(Arc<V>, Duration), BoxError> {
        let (mut asking, mut polled) = self.ask(now).await;
        if polled.is_ready() && asking.since.elapsed() >= PATIENCE {
            // An answer that no request took in time may be out of date.
            let _ = self.settle(&asking, polled, now);
            (asking, polled) = self.ask(now).await;
        }
        if polled.is_ready() {
            return self.settle(&asking, polled, now);
        }
        if let Some(latest) = self.latest(now)
            && latest.1 >= lifetime.min(GOOD)
        {
            return Ok(latest);
        }
        let answer = asking.answer.clone().await;
        self.settle(&asking, Poll::Ready(answer), now)
    }

    /// The question that is under way, or a new one, and what is answered already.
    async fn ask(&self, now: SystemTime) -> (Asking<V>, Poll<Answer<V>>) {
        let runtime = Handle::try_current().ok();
        let (mut asking, is_new) = self.asking(now, runtime.is_some());
        let polled = std::future::poll_fn(|cx| Poll::Ready(asking.answer.poll_unpin(cx))).await;
        if let Some(runtime) = runtime
            && is_new
            && polled.is_pending()
        {
            // Goes on whatever becomes of the request: a provider may hold a lock while it asks.
            runtime.spawn(asking.answer.clone().map(drop));
        }
        (asking, polled)
    }

    fn asking(&self, now: SystemTime, is_timed: bool) -> (Asking<V>, bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = &state.asking {
            return (asking.clone(), false);
        }
        let asked = AssertUnwindSafe((self.ask)()).catch_unwind();
        let answer = async move {
            let answer = if is_timed {
                tokio::time::timeout(PATIENCE, asked).await.map_err(|_| Silent)?
            } else {
                asked.await
            };
            let given = answer.map_err(|_| ProviderFailed::Panicked)?;
            given.map_err(|error| ProviderFailed::Failed(Arc::new(error)))
        };
        state.questions += 1;
        let (number, answer) = (state.questions, answer.boxed().shared());
        let asking = Asking { number, since: Instant::now(), asked_at: now, answer };
        state.asking = Some(asking.clone());
        (asking, true)
    }

    /// Keeps what the provider gave. Where it gave nothing, the latest value does until it ends.
    fn settle(
        &self,
        asking: &Asking<V>,
        answer: Poll<Answer<V>>,
        now: SystemTime,
    ) -> Result<(Arc<V>, Duration), BoxError> {
        let Poll::Ready(answer) = answer else { return Err(Silent.into()) };
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.asking.as_ref().is_some_and(|current| current.number == asking.number) {
                state.asking = None;
                if let Ok(value) = &answer {
                    state.latest = Some(Dated { value: Arc::clone(value), asked_at: asking.asked_at });
                }
            }
        }
        match answer {
            Ok(value) => {
                let left = Dated { value: Arc::clone(&value), asked_at: asking.asked_at }.left(now);
                Ok((value, left))
            }
            Err(error) => self.latest(now).filter(|(_, left)| left.as_secs() > 0).ok_or(error.into()),
        }
    }

    fn latest(&self, now: SystemTime) -> Option<(Arc<V>, Duration)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.latest.as_ref().map(|latest| (Arc::clone(&latest.value), latest.left(now)))
    }
}

impl<V> fmt::Debug for Renewed<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewed")
    }
}
