//! [`Turns`]: which sign-in is next, when more come than are checked at the same time.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Sign-ins that wait, of all clients.
const WAITING: usize = 128;
/// Sign-ins that wait from one address, or for one name.
const SHARE: usize = 64;
/// How long a refusal is held back for each other attempt from the same address, or for the same name.
const HELD: Duration = Duration::from_millis(100);
/// Refusals that are held back. More are not worth the memory.
const MOST_HELD: usize = 1024;

/// Turns at one costly task. Each is given to an attempt that waits, and is given back when it is dropped.
///
/// A flood looks like everybody else's attempts, but it cannot help being many. So the next turn belongs to those from whose
/// address and for whose name there are fewest, and among equals to the one that came last: who comes to a full queue is
/// served, who has waited in it is refused. Every other turn belongs to the one that has waited longest. Refusals in a crowd
/// are held back, so that clients that guess over and over do not fill the queue again at once.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    names: RandomState,
}

#[derive(Debug)]
struct Queue {
    free: usize,
    /// In the order in which they came, until they are answered.
    present: Vec<Present>,
    came: u64,
    longest_first: bool,
}

#[derive(Debug)]
struct Present {
    number: u64,
    from: Option<u128>,
    name: u64,
    /// There while it waits. Dropped without a turn, it says that there will be none.
    call: Option<oneshot::Sender<Turn>>,
}

/// One attempt, until it is answered or given up.
#[derive(Debug)]
pub(crate) struct Attempt {
    shared: Arc<Shared>,
    number: u64,
    called: oneshot::Receiver<Turn>,
}

/// One turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Shared>);

/// Too many wait.
#[derive(Debug)]
pub(crate) struct Busy;

impl Turns {
    /// So many turns at the same time.
    pub(crate) fn new(at_once: usize) -> Self {
        let queue = Queue { free: at_once, present: Vec::new(), came: 0, longest_first: false };
        Self(Arc::new(Shared { queue: Mutex::new(queue), names: RandomState::new() }))
    }

    /// Begins an attempt of a client at this address, if it is known, for this name.
    pub(crate) fn begin(&self, from: Option<IpAddr>, name: &str) -> Attempt {
        let (call, called) = oneshot::channel();
        let name = self.0.names.hash_one(name);
        let number = self.0.queue().join(from.map(network), name, call);
        self.0.call_next();
        Attempt { shared: Arc::clone(&self.0), number, called }
    }
}

impl Attempt {
    /// Waits for a turn.
    pub(crate) async fn turn(&mut self) -> Result<Turn, Busy> {
        (&mut self.called).await.map_err(|_| Busy)
    }

    /// Waits before the attempt is refused: longer, the more others there are like it.
    pub(crate) async fn hold(&self) {
        let others = {
            let queue = self.shared.queue();
            let place = queue.present.iter().position(|present| present.number == self.number);
            let is_full = queue.present.len() > MOST_HELD;
            place.filter(|_| !is_full).map_or(0, |index| queue.crowd(index).min(SHARE) - 1)
        };
        tokio::time::sleep(HELD * u32::try_from(others).unwrap_or_default()).await;
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives away the turns that are free.
    fn call_next(self: &Arc<Self>) {
        loop {
            // The lock ends with this statement: a turn that is not taken comes back at once.
            let Some(call) = self.queue().next() else { return };
            let _ = call.send(Turn(Arc::clone(self)));
        }
    }
}

impl Queue {
    fn join(&mut self, from: Option<u128>, name: u64, call: oneshot::Sender<Turn>) -> u64 {
        self.came += 1;
        self.present.push(Present { number: self.came, from, name, call: Some(call) });
        let waiting = |like: &dyn Fn(&Present) -> bool| {
            self.present.iter().filter(|present| present.call.is_some() && like(present)).count()
        };
        let most = if waiting(&|present| present.name == name) > SHARE {
            self.oldest(|present| present.name == name)
        } else if from.is_some() && waiting(&|present| present.from == from) > SHARE {
            self.oldest(|present| present.from == from)
        } else if waiting(&|_| true) > WAITING {
            let waiting = (0..self.present.len()).rev().filter(|&index| self.present[index].call.is_some());
            waiting.max_by_key(|&index| self.crowd(index))
        } else {
            None
        };
        if let Some(index) = most {
            self.present[index].call = None;
        }
        self.came
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        if self.free == 0 {
            return None;
        }
        let waiting = (0..self.present.len()).rev().filter(|&index| self.present[index].call.is_some());
        let newest_of_fewest = waiting.min_by_key(|&index| self.crowd(index))?;
        let index = if self.longest_first { self.oldest(|_| true)? } else { newest_of_fewest };
        self.longest_first = !self.longest_first;
        self.free -= 1;
        self.present[index].call.take()
    }

    /// The one of these that has waited longest.
    fn oldest(&self, of: impl Fn(&Present) -> bool) -> Option<usize> {
        self.present.iter().position(|present| present.call.is_some() && of(present))
    }

    /// How many there are from the same address, or for the same name, this one among them.
    fn crowd(&self, index: usize) -> usize {
        let attempt = &self.present[index];
        let same_address =
            self.present.iter().filter(|other| attempt.from.is_some() && other.from == attempt.from);
        let same_name = self.present.iter().filter(|other| other.name == attempt.name);
        same_address.count().max(same_name.count())
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.shared.queue().present.retain(|present| present.number != self.number);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.queue().free += 1;
        self.0.call_next();
    }
}

/// What one client has of addresses: all of a /64 in IPv6 (RFC 6177 section 2).
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll(attempt: &mut Attempt) -> Poll<Result<Turn, Busy>> {
        pin!(attempt.turn()).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn attempt(turns: &Turns, from: &str, name: &str) -> Attempt {
        let mut attempt = turns.begin(from.parse().ok(), name);
        assert!(poll(&mut attempt).is_pending());
        attempt
    }

    fn turn(turns: &Turns, name: &str) -> Turn {
        let Poll::Ready(Ok(turn)) = poll(&mut turns.begin(None, name)) else { panic!("a turn is free") };
        turn
    }

    /// The numbers of turns until this attempt has its own. Those before it fail at once.
    fn turns_until(mut last: Turn, mine: &mut Attempt, others: &mut Vec<Attempt>) -> usize {
        for count in 1.. {
            drop(last);
            if let Poll::Ready(turn) = poll(mine) {
                turn.expect("a turn");
                return count;
            }
            let mut taken = None;
            others.retain_mut(|other| match poll(other) {
                Poll::Pending => true,
                Poll::Ready(turn) => {
                    taken = turn.ok().or(taken.take());
                    false
                }
            });
            last = taken.expect("a turn is taken");
        }
        unreachable!()
    }

    #[test]
    fn who_comes_last_is_served_among_the_first_whatever_waits() {
        let everywhere: Vec<String> = (0..60).map(|number| format!("10.0.{number}.1")).collect();
        let one = vec!["10.0.0.1".to_owned(); 60];
        let one_network: Vec<String> = (0..60).map(|number| format!("2001:db8::{number:x}")).collect();
        let unknown = vec![String::new(); 60];
        let flood = vec!["10.0.0.1".to_owned(); 500];
        for (addresses, mine) in [
            (&everywhere, "10.1.1.1"),
            (&one, "10.1.1.1"),
            (&one, "10.0.0.1"),
            (&one_network, "2001:db8::ffff"),
            (&unknown, ""),
            (&flood, "10.0.0.1"),
            (&flood, "10.1.1.1"),
        ] {
            for name in ["alice", "bob"] {
                let turns = Turns::new(1);
                let running = turn(&turns, "carol");
                let mut others: Vec<_> =
                    addresses.iter().map(|address| attempt(&turns, address, "alice")).collect();
                let mut mine = attempt(&turns, mine, name);
                let count = turns_until(running, &mut mine, &mut others);
                assert!(count <= 2, "{count} turns for {name} after {} attempts", addresses.len());
            }
        }
    }

    #[test]
    fn a_flood_from_one_address_costs_others_no_place() {
        let turns = Turns::new(1);
        let running = turn(&turns, "carol");
        let mut mine = attempt(&turns, "10.1.1.1", "alice");
        let names: Vec<String> = (0..500).map(|number| format!("user {number}")).collect();
        let mut others: Vec<_> = names.iter().map(|name| attempt(&turns, "10.0.0.1", name)).collect();
        // The oldest of them went.
        let mut rest = others.split_off(500 - SHARE);
        assert!(others.iter_mut().all(|other| matches!(poll(other), Poll::Ready(Err(Busy)))));
        assert!(rest.iter_mut().all(|other| poll(other).is_pending()));
        assert!(turns_until(running, &mut mine, &mut rest) <= 2);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let turns = Turns::new(1);
        let mut last = turn(&turns, "alice");
        let mut mine = attempt(&turns, "", "alice");
        for _ in 0..4 {
            let mut other = attempt(&turns, "", "alice");
            drop(last);
            if poll(&mut mine).is_ready() {
                return;
            }
            let Poll::Ready(Ok(turn)) = poll(&mut other) else { panic!("a turn") };
            last = turn;
        }
        panic!("others were always served first");
    }

    #[test]
    fn who_gives_up_leaves_nothing_behind() {
        let turns = Turns::new(2);
        let running = (turn(&turns, "a"), turn(&turns, "a"));
        let waiting: Vec<_> = (0..60).map(|_| attempt(&turns, "10.0.0.1", "a")).collect();
        assert_eq!(turns.0.queue().present.len(), 60);
        drop(waiting);
        assert_eq!(turns.0.queue().present.len(), 0);
        // Called, and gone before it saw that.
        let called = attempt(&turns, "10.0.0.1", "a");
        drop(running);
        drop(called);
        let queue = turns.0.queue();
        assert_eq!((queue.free, queue.present.len()), (2, 0));
    }
}
