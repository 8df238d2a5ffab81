//! [`Turns`]: which sign-in is next, when more come than are checked at the same time.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Sign-ins that wait, of all clients.
const WAITING: usize = 128;
/// Sign-ins that wait from one address, or for one name.
const SHARE: usize = 64;

/// Turns at one costly task. Each is given to an attempt that waits, and is given back when it is dropped.
///
/// A flood looks like everybody else's attempts, but it cannot help being many. So the next turn belongs to those from whose
/// address and for whose name the fewest wait, and among equals to the one that came last: who comes to a full queue is
/// served, who has waited in it is refused. Every other turn belongs to the one that has waited longest.
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
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    came: u64,
    longest_first: bool,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    from: Option<u128>,
    name: u64,
    /// Dropped without a turn, it says that there will be none.
    call: oneshot::Sender<Turn>,
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
        let queue = Queue { free: at_once, waiting: Vec::new(), came: 0, longest_first: false };
        Self(Arc::new(Shared { queue: Mutex::new(queue), names: RandomState::new() }))
    }

    /// Waits for a turn to check what a client at this address, if it is known, says for this name. An attempt whose future is
    /// dropped waits no longer.
    pub(crate) async fn take(&self, from: Option<IpAddr>, name: &str) -> Result<Turn, Busy> {
        let (call, called) = oneshot::channel();
        let name = self.0.names.hash_one(name);
        let number = self.0.queue().join(Waiting { number: 0, from: from.map(network), name, call });
        let _place = Place { shared: &self.0, number };
        self.0.call_next();
        called.await.map_err(|_| Busy)
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
            let Some(next) = self.queue().next() else { return };
            let _ = next.call.send(Turn(Arc::clone(self)));
        }
    }
}

impl Queue {
    fn join(&mut self, attempt: Waiting) -> u64 {
        self.came += 1;
        self.waiting.push(Waiting { number: self.came, ..attempt });
        let crowd = self.crowd(self.waiting.len() - 1);
        if crowd > SHARE || self.waiting.len() > WAITING {
            let oldest_of_most = (0..self.waiting.len()).rev().max_by_key(|&index| self.crowd(index));
            oldest_of_most.map(|index| self.waiting.remove(index));
        }
        self.came
    }

    fn next(&mut self) -> Option<Waiting> {
        if self.free == 0 || self.waiting.is_empty() {
            return None;
        }
        let newest_of_fewest = (0..self.waiting.len()).rev().min_by_key(|&index| self.crowd(index))?;
        let index = if self.longest_first { 0 } else { newest_of_fewest };
        self.longest_first = !self.longest_first;
        self.free -= 1;
        Some(self.waiting.remove(index))
    }

    /// How many wait from the same address, or for the same name, this one among them.
    fn crowd(&self, index: usize) -> usize {
        let attempt = &self.waiting[index];
        let same_address =
            self.waiting.iter().filter(|other| attempt.from.is_some() && other.from == attempt.from);
        let same_name = self.waiting.iter().filter(|other| other.name == attempt.name);
        same_address.count().max(same_name.count())
    }
}

/// A place in the queue.
struct Place<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.queue().waiting.retain(|waiting| waiting.number != self.number);
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
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Attempt<'a> = Pin<Box<dyn Future<Output = Result<Turn, Busy>> + 'a>>;

    fn poll(attempt: &mut Attempt<'_>) -> Poll<Result<Turn, Busy>> {
        attempt.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn attempt<'a>(turns: &'a Turns, from: &str, name: &'a str) -> Attempt<'a> {
        let mut attempt: Attempt<'_> = Box::pin(turns.take(from.parse().ok(), name));
        assert!(poll(&mut attempt).is_pending());
        attempt
    }

    /// The numbers of turns until this attempt has its own. Those before it fail at once.
    fn turns_until(mut last: Turn, mine: &mut Attempt<'_>, others: &mut Vec<Attempt<'_>>) -> usize {
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

    #[tokio::test]
    async fn who_comes_last_is_served_among_the_first_whatever_waits() {
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
                let running = turns.take(None, "carol").await.expect("a turn");
                let mut others: Vec<_> =
                    addresses.iter().map(|address| attempt(&turns, address, "alice")).collect();
                let mut mine = attempt(&turns, mine, name);
                let count = turns_until(running, &mut mine, &mut others);
                assert!(count <= 2, "{count} turns for {name} after {} attempts", addresses.len());
            }
        }
    }

    #[tokio::test]
    async fn a_flood_from_one_address_costs_others_no_place() {
        let turns = Turns::new(1);
        let running = turns.take(None, "carol").await.expect("a turn");
        let mut mine = attempt(&turns, "10.1.1.1", "alice");
        let names: Vec<String> = (0..500).map(|number| format!("user {number}")).collect();
        let mut others: Vec<_> = names.iter().map(|name| attempt(&turns, "10.0.0.1", name)).collect();
        // The oldest of them went.
        let mut rest = others.split_off(500 - SHARE);
        assert!(others.iter_mut().all(|other| matches!(poll(other), Poll::Ready(Err(Busy)))));
        assert!(rest.iter_mut().all(|other| poll(other).is_pending()));
        assert!(turns_until(running, &mut mine, &mut rest) <= 2);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let turns = Turns::new(1);
        let mut last = turns.take(None, "alice").await.expect("a turn");
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

    #[tokio::test]
    async fn who_gives_up_leaves_nothing_behind() {
        let turns = Turns::new(2);
        let running =
            (turns.take(None, "a").await.expect("a turn"), turns.take(None, "a").await.expect("a turn"));
        let waiting: Vec<_> = (0..60).map(|_| attempt(&turns, "10.0.0.1", "a")).collect();
        assert_eq!(turns.0.queue().waiting.len(), 60);
        drop(waiting);
        assert_eq!(turns.0.queue().waiting.len(), 0);
        // Called, and gone before it saw that.
        let called = attempt(&turns, "10.0.0.1", "a");
        drop(running);
        drop(called);
        let queue = turns.0.queue();
        assert_eq!((queue.free, queue.waiting.len()), (2, 0));
    }
}
