//! [`Source`]: where a signer has its credentials from, and how long it waits for them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use secure_download_core::BoxError;
use tokio::time::{Instant, timeout_at};

use super::{CredentialProvider, Credentials};
use crate::in_time::{PATIENCE, Silent};

/// Credentials that last this long are good for a URL whose own life is longer: it ends with them.
const GOOD: Duration = Duration::from_secs(60);

pub(super) enum Source {
    Fixed(Arc<Credentials>),
    Provider(Renewed),
}

/// Credentials of a provider, asked for each signature, and the latest that it gave.
pub(super) struct Renewed {
    provider: Arc<dyn CredentialProvider>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    latest: Option<Dated>,
    asking: Option<Asking>,
}

/// Credentials, and how long they are certain to last.
#[derive(Clone)]
struct Dated {
    credentials: Arc<Credentials>,
    given_at: SystemTime,
}

impl Dated {
    fn left(&self, now: SystemTime) -> Duration {
        // What is only known to last a while from when it was given has aged since.
        let age = now.duration_since(self.given_at).unwrap_or_default();
        self.credentials.left(now).min(self.credentials.left(self.given_at).saturating_sub(age))
    }
}

type Answer = Result<Arc<Credentials>, ProviderFailed>;

/// One question to the provider, which every request that needs its answer waits for.
#[derive(Clone)]
struct Asking {
    since: Instant,
    answer: Shared<BoxFuture<'static, Answer>>,
}

#[derive(Debug, Clone, thiserror::Error)]
enum ProviderFailed {
    #[error("the provider of credentials failed: {0}")]
    Failed(Arc<BoxError>),
    #[error(transparent)]
    Silent(#[from] Silent),
}

impl Renewed {
    pub(super) fn new(provider: impl CredentialProvider + 'static) -> Self {
        Self { provider: Arc::new(provider), state: Mutex::default() }
    }

    /// Credentials for a URL that is signed at `now`, and how long it may live as far as they go.
    ///
    /// A provider that answers at once is always believed. While one takes its time, or fails, the latest credentials sign
    /// as long as they are good.
    pub(super) async fn get(
        &self,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<(Arc<Credentials>, Duration), BoxError> {
        let mut asking = self.asking();
        let polled = std::future::poll_fn(|cx| Poll::Ready(asking.answer.poll_unpin(cx))).await;
        if let Poll::Ready(answer) = polled {
            return self.settle(answer, now);
        }
        if let Some(latest) = self.latest(now)
            && latest.1 >= lifetime.min(GOOD)
        {
            return Ok(latest);
        }
        let answer = timeout_at(asking.since + PATIENCE, asking.answer).await;
        self.settle(answer.unwrap_or(Err(Silent.into())), now)
    }

    /// The question that is under way, or a new one in place of one that took too long.
    fn asking(&self) -> Asking {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = &state.asking
            && (asking.since.elapsed() < PATIENCE || asking.answer.clone().now_or_never().is_some())
        {
            return asking.clone();
        }
        let provider = Arc::clone(&self.provider);
        let answer = async move {
            provider.credentials().await.map_err(|error| ProviderFailed::Failed(Arc::new(error)))
        };
        let asking = Asking { since: Instant::now(), answer: answer.boxed().shared() };
        state.asking = Some(asking.clone());
        asking
    }

    /// Keeps what the provider gave. Where it gave nothing, the latest credentials do until they end.
    fn settle(&self, answer: Answer, now: SystemTime) -> Result<(Arc<Credentials>, Duration), BoxError> {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.asking = None;
            if let Ok(credentials) = &answer {
                state.latest = Some(Dated { credentials: Arc::clone(credentials), given_at: now });
            }
        }
        match answer {
            Ok(credentials) => {
                let left = credentials.left(now);
                Ok((credentials, left))
            }
            Err(error) => self.latest(now).filter(|(_, left)| left.as_secs() > 0).ok_or(error.into()),
        }
    }

    fn latest(&self, now: SystemTime) -> Option<(Arc<Credentials>, Duration)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.latest.as_ref().map(|latest| (Arc::clone(&latest.credentials), latest.left(now)))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::Provider(_) => "Provider",
        })
    }
}
