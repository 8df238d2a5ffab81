//! [`Concurrency`]: how many downloads may run at once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Caps on downloads that run at the same time, of the whole gate and of each subject.
///
/// A download counts from the grant until the framework has released its last byte. One too many is refused with
/// 503 and `Retry-After`, after authorisation, so that only somebody who may see the file can tell.
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
    total: usize,
    by_subject: HashMap<Arc<str>, usize>,
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
    pub(crate) fn enter(&self, subject: &S) -> Option<Permit> {
        let key = self.per_subject.as_ref().map(|per| (Arc::<str>::from((per.key)(subject)), per.cap));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.total >= self.total {
            return None;
        }
        let subject = match key {
            None => None,
            Some((key, cap)) => {
                let mine = running.by_subject.get(&key).copied().unwrap_or_default();
                if mine >= cap {
                    return None;
                }
                running.by_subject.insert(Arc::clone(&key), mine + 1);
                Some(key)
            }
        };
        running.total += 1;
        Some(Permit { running: Arc::clone(&self.running), subject })
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
    subject: Option<Arc<str>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.total -= 1;
        if let Some(subject) = self.subject.take()
            && let Some(count) = running.by_subject.get_mut(&subject)
        {
            *count -= 1;
            if *count == 0 {
                running.by_subject.remove(&subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let caps = Concurrency::<str>::new(3).per_subject(2, str::to_owned);
        let first = caps.enter("alice").expect("free");
        let second = caps.enter("alice").expect("free");
        assert!(caps.enter("alice").is_none(), "alice is at her cap");
        let bob = caps.enter("bob").expect("free");
        assert!(caps.enter("carol").is_none(), "the gate is at its cap");
        drop(first);
        assert!(caps.enter("carol").is_some());
        drop((second, bob));
        assert!(caps.running.lock().expect("not poisoned").by_subject.is_empty());
        assert_eq!(caps.running.lock().expect("not poisoned").total, 0);
    }
}
