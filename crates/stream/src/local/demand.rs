//! [`Demand`]: how many chunks a consumer may hold, as its own doing shows.

use std::time::Duration;

/// The first chunks beside one that is still held.
const FIRST: usize = 8 * 1024;
/// Larger chunks were measured to gain nothing.
const LARGEST: usize = 64 * 1024;

/// How long a consumer that gave back no chunk yet holds each of its first chunks before it gets another.
const NEW: Duration = Duration::from_millis(2);
/// After so many chunks it is one that keeps them all, and waits no more.
const NEW_CHUNKS: usize = 4;

/// How long a consumer that gives chunks back holds one before it gets another. Servers hold a chunk for as long as the
/// client does not read.
const STALLED: Duration = Duration::from_secs(1);
/// Then it is tried with so many small chunks. hyper holds at most sixteen (HTTP/1), then asks for no more.
const TRIALS: usize = 32;
const TRIAL: usize = 64;
const TRIAL_WAIT: Duration = Duration::from_millis(10);

/// A consumer that gives a chunk back so soon after it got the next one needs both.
const PROMPT: Duration = Duration::from_millis(5);
/// One that takes so long is a server whose client is slow.
const SLOW: Duration = Duration::from_millis(50);
const MOST_AHEAD: usize = 16;

/// What the consumer of a body does with its chunks.
///
/// - A server lets go of a chunk once it is on its way, and holds it while the client does not read. It gets the next chunk
///   then. One at a time keeps thousands of slow readers cheap.
/// - A reader that looks ahead lets go of a chunk when it has the next one. It gets as many as it needs for that.
/// - A collector lets go of none before the end. It gets chunk after chunk.
///
/// All of them ask in the same way while they hold a chunk: only what comes back, and when, tells them apart.
#[derive(Debug)]
pub(super) struct Demand {
    /// How many chunks the consumer holds.
    held: usize,
    /// How many it may hold and get the next one at once.
    ahead: usize,
    /// How many it got beside others since one came back.
    beside: usize,
    /// Whether one ever came back.
    gives_back: bool,
}

impl Default for Demand {
    fn default() -> Self {
        Self { held: 0, ahead: 1, beside: 0, gives_back: false }
    }
}

impl Demand {
    /// How long after the last chunk the next one is due, though nothing comes back.
    pub(super) fn wait(&self) -> Duration {
        match (self.gives_back, self.beside) {
            _ if self.held < self.ahead => Duration::ZERO,
            (false, ..NEW_CHUNKS) => NEW,
            (true, 0) => STALLED,
            (true, 1..TRIALS) => TRIAL_WAIT,
            _ => Duration::ZERO,
        }
    }

    /// How long the next chunk should be, unless the reader's pace decides.
    pub(super) fn size(&self) -> Option<usize> {
        if self.held < self.ahead {
            return None;
        }
        let (first, doublings) = match self.beside.checked_sub(TRIALS) {
            _ if !self.gives_back => (FIRST, self.beside + 1),
            None => (TRIAL, 0),
            Some(more) => (TRIAL, more + 1),
        };
        Some(first << doublings.min(10)).map(|size| size.min(LARGEST))
    }

    pub(super) fn lent(&mut self) {
        if self.held >= self.ahead {
            self.beside += 1;
        }
        self.held += 1;
    }

    /// A chunk is back, so long after the last one was lent.
    pub(super) fn returned(&mut self, after: Duration) {
        if after >= SLOW {
            self.ahead = 1;
        } else if after <= PROMPT {
            self.ahead = self.ahead.max(self.held.min(MOST_AHEAD));
        }
        self.held -= 1;
        self.beside = 0;
        self.gives_back = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks until as much is held, and says how long that took and how many bytes came.
    fn hold(demand: &mut Demand, chunks: usize) -> (Duration, usize) {
        let (mut time, mut bytes) = (Duration::ZERO, 0);
        while demand.held < chunks {
            time += demand.wait();
            bytes += demand.size().unwrap_or(FIRST);
            demand.lent();
        }
        (time, bytes)
    }

    #[test]
    fn a_collector_gets_all_of_a_large_file_soon() {
        let mut demand = Demand::default();
        let (time, bytes) = hold(&mut demand, 1600);
        assert!(time <= Duration::from_millis(10), "{time:?}");
        assert!(bytes > 100_000_000, "{bytes}");
    }

    #[test]
    fn one_that_begins_late_too() {
        let mut demand = Demand::default();
        for _ in 0..10 {
            hold(&mut demand, 1);
            demand.returned(Duration::ZERO);
        }
        let (time, bytes) = hold(&mut demand, 1600);
        assert!(time <= Duration::from_millis(1500), "{time:?}");
        assert!(bytes > 90_000_000, "{bytes}");
    }

    #[test]
    fn a_server_whose_client_stalls_gets_little() {
        for stalls in 1..10 {
            let mut demand = Demand::default();
            for _ in 0..stalls {
                hold(&mut demand, 1);
                demand.returned(Duration::from_millis(500));
                assert_eq!(hold(&mut demand, 1), (Duration::ZERO, FIRST), "one chunk");
                assert_eq!(demand.wait(), STALLED);
                let (_, bytes) = hold(&mut demand, 16);
                assert_eq!(bytes, 15 * TRIAL, "what hyper holds");
                (0..16).for_each(|_| demand.returned(Duration::from_secs(7)));
            }
        }
    }

    #[test]
    fn one_that_looks_ahead_waits_only_at_first() {
        for ahead in [2, 5, 16] {
            let mut demand = Demand::default();
            hold(&mut demand, ahead);
            (0..ahead).for_each(|_| demand.returned(Duration::ZERO));
            for _ in 0..100 {
                assert_eq!(hold(&mut demand, ahead).0, Duration::ZERO);
                demand.returned(Duration::ZERO);
            }
        }
    }
}
