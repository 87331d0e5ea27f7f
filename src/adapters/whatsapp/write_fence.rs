//! Keeps a message off the wire when its time is over.
//!
//! The library gives a stanza to a task that writes one after another (`whatsapp-rust` 0.7, `socket/noise_socket.rs`). A send
//! that is dropped after that is written all the same, and as late as that task comes to it: behind a receipt that waits
//! for the store, or in a process that was stopped for a while. So the last look at the clock is the transport's. It can't
//! tell one encrypted frame from another, and none may be left out of their sequence; so it ends the connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kurir_core::domain::Timestamp;
use kurir_core::port::Clock;

/// What one client is about to write, and until when it may.
pub(super) struct WriteFence {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    open: BTreeMap<u64, Entry>,
    /// Messages that a phone has asked for again, and until when they may be written.
    repetitions: HashMap<String, Timestamp>,
}

/// A message that is not known to be written.
struct Entry {
    not_after: Option<Timestamp>,
    /// Whether its stanza was given to the task that writes.
    given: Box<dyn FnMut() -> bool + Send>,
}

/// A message would have been written when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message would have been written too late, so nothing more is")]
pub(super) struct Late;

/// One send's place. Dropped before the message is known to be written, what was given to the task that writes stays
/// watched until the connection ends.
pub(super) struct Place {
    fence: Arc<WriteFence>,
    number: u64,
}

impl WriteFence {
    /// Nothing is about to be written.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A send begins. `given` says whether its stanza was given to the task that writes.
    pub fn enter(
        self: &Arc<Self>,
        not_after: Option<Timestamp>,
        given: impl FnMut() -> bool + Send + 'static,
    ) -> Place {
        let mut inner = self.lock();
        let number = inner.next;
        inner.next += 1;
        inner.open.insert(number, Entry { not_after, given: Box::new(given) });
        drop(inner);
        Place { fence: Arc::clone(self), number }
    }

    /// For a connection that begins now: what was given to its predecessors is not written any more.
    pub fn renew(&self) {
        let mut inner = self.lock();
        inner.open.retain(|_, entry| !(entry.given)());
        inner.repetitions.clear();
    }

    /// The client begins to send this message again, for a phone that could not read it. Nobody tells when it is given to the
    /// task that writes, so from its moment on nothing is written before WhatsApp has answered it.
    pub fn repeat(&self, message: &str, not_after: Timestamp) {
        self.lock().repetitions.insert(message.to_owned(), not_after);
    }

    /// WhatsApp has answered this message, so it is written.
    pub fn answered(&self, message: &str) {
        self.lock().repetitions.remove(message);
    }

    /// Whether anything may be written now.
    pub fn pass(&self) -> Result<(), Late> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let repeated_late = inner.repetitions.values().any(|last| now >= *last);
        let mut late = inner.open.values_mut().filter(|entry| entry.not_after.is_some_and(|last| now >= last));
        if repeated_late || late.any(|entry| (entry.given)()) { Err(Late) } else { Ok(()) }
    }
}

impl Place {
    /// Whether the stanza was given to the task that writes, so that it may be on the wire.
    pub fn is_given(&self) -> bool {
        self.fence.lock().open.get_mut(&self.number).is_none_or(|entry| (entry.given)())
    }

    /// The message is on the wire.
    pub fn written(&self) {
        self.fence.lock().open.remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.fence.lock();
        let Some(entry) = inner.open.get_mut(&self.number) else { return };
        if entry.not_after.is_none() || !(entry.given)() {
            inner.open.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use kurir_core::memory::ManualClock;

    use super::*;

    struct World {
        clock: Arc<ManualClock>,
        fence: Arc<WriteFence>,
        given: Arc<AtomicBool>,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1000)));
            let fence = Arc::new(WriteFence::new(clock.clone()));
            Self { clock, fence, given: Arc::default() }
        }

        fn enter(&self, not_after: Option<i64>) -> Place {
            let given = Arc::clone(&self.given);
            self.fence.enter(not_after.map(Timestamp::from_millis), move || given.load(Ordering::Relaxed))
        }

        fn give(&self) {
            self.given.store(true, Ordering::Relaxed);
        }

        fn at(&self, millis: i64) -> Result<(), Late> {
            self.clock.set_wall(Timestamp::from_millis(millis));
            self.fence.pass()
        }
    }

    #[test]
    fn what_was_given_away_is_not_written_after_its_time() {
        let world = World::new();
        let place = world.enter(Some(2000));
        assert_eq!(world.at(2500), Ok(()), "not given: another frame may go");
        world.give();
        assert!(place.is_given());
        assert_eq!(world.at(2500), Err(Late));
        drop(place);
        assert_eq!(world.at(2600), Err(Late), "it is still with the task that writes");
        world.fence.renew();
        assert_eq!(world.at(2600), Ok(()));
    }

    #[test]
    fn what_is_written_or_has_no_time_hinders_nothing() {
        let world = World::new();
        world.give();
        let place = world.enter(Some(2000));
        assert_eq!(world.at(1999), Ok(()));
        place.written();
        assert!(place.is_given());
        drop(place);
        drop(world.enter(None));
        assert_eq!(world.at(9000), Ok(()));
        assert!(world.fence.lock().open.is_empty());
    }

    #[test]
    fn a_send_that_goes_on_over_a_new_connection_stays_watched() {
        let world = World::new();
        let place = world.enter(Some(2000));
        world.fence.renew();
        world.give();
        assert_eq!(world.at(2000), Err(Late));
        drop(place);
    }

    #[test]
    fn what_ended_with_its_connection_costs_the_next_one_nothing() {
        let world = World::new();
        let place = world.enter(Some(2000));
        world.give();
        world.fence.renew();
        assert!(place.is_given(), "it may have been written before the end");
        drop(place);
        assert_eq!(world.at(2500), Ok(()));
    }

    #[test]
    fn a_repetition_is_watched_until_it_is_answered() {
        let world = World::new();
        world.fence.repeat("A", Timestamp::from_millis(2000));
        world.fence.repeat("B", Timestamp::from_millis(3000));
        world.fence.answered("B");
        assert_eq!(world.at(1999), Ok(()));
        assert_eq!(world.at(2000), Err(Late));
        world.fence.renew();
        assert_eq!(world.at(3000), Ok(()));
    }

    #[test]
    fn a_send_that_was_given_up_before_leaves_nothing() {
        let world = World::new();
        drop(world.enter(Some(2000)));
        world.give();
        assert_eq!(world.at(2000), Ok(()));
    }
}
