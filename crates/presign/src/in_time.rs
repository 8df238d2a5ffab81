//! [`in_time`]: waits for others, but not long.

use std::time::Duration;

/// How long credentials and signatures of others may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Nothing was said in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("what signs, or gives the credentials to, said nothing for {} seconds", PATIENCE.as_secs())]
pub(crate) struct Silent;

/// What `future` gives within [`PATIENCE`]. One that is ready at once needs no runtime.
#[cfg(feature = "object_store")]
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> Result<T, Silent> {
    use std::task::Poll;

    let mut future = std::pin::pin!(future);
    if let Poll::Ready(ready) = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        return Ok(ready);
    }
    tokio::time::timeout(PATIENCE, future).await.map_err(|_| Silent)
}
