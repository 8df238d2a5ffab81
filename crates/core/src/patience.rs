//! [`Patience`]: how long a client may stop reading.

use std::time::Duration;

/// How long a client may stop reading before its transfer is cut.
///
/// **The rule:** a client may pause for the stall timeout, and for one stall timeout more for every whole 16 MiB that it has
/// taken. Taking less than [`PROGRESS`](Patience::PROGRESS) is a pause too. Sockets and bodies are judged by it alike, over HTTP/1 and HTTP/2.
///
/// A proxy or a CDN that buffers ahead takes much at once, then pauses until its own client has caught up: nginx stores
/// 1 GiB by default (`proxy_max_temp_file_size`). An attacker has to pay for each minute with 16 MiB of traffic, and holds one
/// small chunk for it.
///
/// ```
/// use std::time::Duration;
///
/// use secure_download_core::Patience;
///
/// let patience = Patience::new(Duration::from_secs(60));
/// assert_eq!(patience.after(0), Duration::from_secs(60));
/// assert_eq!(patience.after(1 << 30), Duration::from_secs(65 * 60));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    stall_timeout: Duration,
}

/// So many bytes buy a client one stall timeout more.
const CREDIT: u64 = 16 << 20;

impl Patience {
    /// Bytes. A client that takes less than this, and not all there is, has stopped: with a byte now and then it would otherwise
    /// hold its transfer for ever.
    pub const PROGRESS: usize = 4 * 1024;

    /// A client that has taken little may pause for `stall_timeout`.
    #[must_use]
    pub const fn new(stall_timeout: Duration) -> Self {
        Self { stall_timeout }
    }

    /// The pause that every client is allowed.
    #[must_use]
    pub const fn stall_timeout(self) -> Duration {
        self.stall_timeout
    }

    /// The pause that a client is allowed once it has taken so many bytes.
    #[must_use]
    pub fn after(self, taken: u64) -> Duration {
        let pauses = u32::try_from(taken / CREDIT).unwrap_or(u32::MAX).saturating_add(1);
        self.stall_timeout.saturating_mul(pauses)
    }
}

impl Default for Patience {
    /// 60 seconds, as nginx's `send_timeout`.
    fn default() -> Self {
        Self::new(Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_took_much_may_pause_for_longer() {
        let patience = Patience::new(Duration::from_secs(3));
        for (taken, seconds) in
            [(0, 3), ((16 << 20) - 1, 3), (16 << 20, 6), (100 << 20, 21), (u64::MAX, 3 * u64::from(u32::MAX))]
        {
            assert_eq!(patience.after(taken), Duration::from_secs(seconds), "{taken} bytes");
        }
        assert_eq!(Patience::new(Duration::MAX).after(u64::MAX), Duration::MAX);
    }
}
