//! [`Concurrency`]: how many downloads may run at once.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Patience;

/// Caps on downloads that run at the same time, of the whole gate and of each subject.
///
/// A download has a place from the grant until the framework has released its last byte. The gate refuses one too many with
/// 503 and `Retry-After`, after authorisation, so that only a subject that may see the file can tell.
///
/// A download that released no byte for the stall timeout loses its place to the next one that wants it, so that clients with
/// closed HTTP/2 windows cannot lock out all others. It goes on without a place once its client reads again, and fails if the
/// client comes back later than [`Patience`] allows. The stall timeout is that of the server, see
/// [`RequestHead::with_patience`](crate::RequestHead::with_patience), else 60 seconds.
///
/// ```
/// use secure_download_core::Concurrency;
///
/// # struct User { name: String }
/// let caps = Concurrency::<User>::new(10_000).per_subject(8, |user| user.name.clone());
/// ```
pub struct Concurrency<S: ?Sized> {
    total: usize,
    per_subject: Option<PerSubject<S>>,
    running: Arc<Mutex<Running>>,
}

struct PerSubject<S: ?Sized> {
    cap: usize,
    key: Box<dyn Fn(&S) -> String + Send + Sync>,
}

#[derive(Debug, Default)]
struct Running {
    by_subject: HashMap<Arc<str>, usize>,
    /// Every place that is taken, by its number.
    places: HashMap<u64, Arc<Place>>,
    next: u64,
    /// No place is stalled before.
    none_before: Option<Instant>,
}

/// One download's place.
#[derive(Debug)]
struct Place {
    subject: Option<Arc<str>>,
    patience: Patience,
    since: Instant,
    /// Milliseconds from `since` to the last byte that the framework released.
    progress: AtomicU64,
    given_away: AtomicBool,
}

impl<S: ?Sized> Concurrency<S> {
    /// At most `total` downloads at once.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { total, per_subject: None, running: Arc::default() }
    }

    /// And at most `cap` of them by one subject. Subjects with equal keys share their cap.
    #[must_use]
    pub fn per_subject(mut self, cap: usize, key: impl Fn(&S) -> String + Send + Sync + 'static) -> Self {
        self.per_subject = Some(PerSubject { cap, key: Box::new(key) });
        self
    }

    /// A place for one more download, or `None` at the cap.
    pub(crate) fn enter(&self, subject: &S, patience: Patience, now: Instant) -> Option<Permit> {
        let key = self.per_subject.as_ref().map(|per| (Arc::<str>::from((per.key)(subject)), per.cap));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |running: &Running| {
            running.places.len() >= self.total
                || key.as_ref().is_some_and(|(key, cap)| running.of(key) >= *cap)
        };
        if full(&running) {
            running.give_away_stalled(now);
            if full(&running) {
                return None;
            }
        }
        let subject = key.map(|(key, _)| key);
        if let Some(subject) = &subject {
            *running.by_subject.entry(Arc::clone(subject)).or_default() += 1;
        }
        let place = Arc::new(Place {
            subject,
            patience,
            since: now,
            progress: AtomicU64::new(0),
            given_away: AtomicBool::new(false),
        });
        let number = running.next;
        running.next += 1;
        let stalls_at = place.stalls_at();
        running.none_before = running.none_before.map(|before| before.min(stalls_at));
        running.places.insert(number, Arc::clone(&place));
        Some(Permit { running: Arc::clone(&self.running), number, place })
    }
}

impl Running {
    fn of(&self, subject: &str) -> usize {
        self.by_subject.get(subject).copied().unwrap_or_default()
    }

    /// Takes their places from downloads that released nothing for the stall timeout. A full gate is asked again and again:
    /// places are looked through only once one of them can have stalled.
    fn give_away_stalled(&mut self, now: Instant) {
        if self.none_before.is_some_and(|before| now < before) {
            return;
        }
        let stalled: Vec<u64> = self
            .places
            .iter()
            .filter(|(_, place)| place.stalls_at() <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in stalled {
            self.leave(number);
        }
        self.none_before = self.places.values().map(|place| place.stalls_at()).min();
    }

    fn leave(&mut self, number: u64) {
        let Some(place) = self.places.remove(&number) else { return };
        place.given_away.store(true, Ordering::Relaxed);
        if let Some(subject) = &place.subject
            && let Some(count) = self.by_subject.get_mut(subject)
        {
            *count -= 1;
            if *count == 0 {
                self.by_subject.remove(subject);
            }
        }
    }
}

impl Place {
    fn last_progress(&self) -> Instant {
        self.since + Duration::from_millis(self.progress.load(Ordering::Relaxed))
    }

    fn stalls_at(&self) -> Instant {
        // A timeout beyond the clock's range never comes.
        let never = Duration::from_secs(u64::from(u32::MAX));
        self.last_progress() + self.patience.stall_timeout().min(never)
    }
}

impl<S: ?Sized> fmt::Debug for Concurrency<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrency")
            .field("total", &self.total)
            .field("per_subject", &self.per_subject.as_ref().map(|per| per.cap))
            .finish_non_exhaustive()
    }
}

/// One running download; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    running: Arc<Mutex<Running>>,
    number: u64,
    place: Arc<Place>,
}

impl Permit {
    /// Notes that the framework released bytes.
    pub(crate) fn progressed(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.place.since).as_millis();
        self.place.progress.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether the client, which has taken so many bytes, lost its place and came back too late to go on.
    pub(crate) fn came_back_too_late(&self, taken: u64, now: impl FnOnce() -> Instant) -> bool {
        self.place.given_away.load(Ordering::Relaxed)
            && now().saturating_duration_since(self.place.last_progress()) > self.place.patience.after(taken)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience::new(Duration::from_secs(60));

    #[test]
    fn places_are_counted_and_given_back() {
        let now = Instant::now();
        let caps = Concurrency::<str>::new(3).per_subject(2, str::to_owned);
        let enter = |subject| caps.enter(subject, PATIENCE, now);
        let first = enter("alice").expect("free");
        let second = enter("alice").expect("free");
        assert!(enter("alice").is_none(), "alice is at her cap");
        let bob = enter("bob").expect("free");
        assert!(enter("carol").is_none(), "the gate is at its cap");
        drop(first);
        assert!(enter("carol").is_some());
        drop((second, bob));
        let running = caps.running.lock().expect("not poisoned");
        assert!(running.by_subject.is_empty() && running.places.is_empty());
    }

    #[test]
    fn who_releases_nothing_loses_the_place_and_may_come_back_in_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let caps = Concurrency::<str>::new(2).per_subject(2, str::to_owned);
        let stalled = caps.enter("alice", PATIENCE, start).expect("free");
        let reading = caps.enter("alice", PATIENCE, start).expect("free");
        reading.progressed(at(30));
        assert!(caps.enter("bob", PATIENCE, at(59)).is_none(), "one second is left");
        assert!(!stalled.came_back_too_late(0, || at(59)));

        let bob = caps.enter("bob", PATIENCE, at(60)).expect("the place of who stalls");
        assert!(!stalled.came_back_too_late(0, || at(60)), "it goes on without a place");
        assert!(stalled.came_back_too_late(0, || at(61)));
        assert!(!stalled.came_back_too_late(16 << 20, || at(61)), "who took much may pause for longer");
        assert!(!reading.came_back_too_late(0, || at(1000)), "it has its place");

        assert!(caps.enter("bob", PATIENCE, at(60)).is_none(), "full again");
        drop(stalled);
        assert!(caps.enter("bob", PATIENCE, at(60)).is_none(), "no place is given back twice");
        assert!(caps.enter("alice", PATIENCE, at(90)).is_some(), "the reader has stalled since");
        drop((bob, reading));
        let running = caps.running.lock().expect("not poisoned");
        assert!(running.by_subject.is_empty() && running.places.is_empty());
    }
}
