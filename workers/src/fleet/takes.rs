//! The sessions that wait for a worker: in what order they are taken, and which of them rest after a failure.

use std::collections::{HashMap, VecDeque};

use kurir_core::domain::{SessionId, Timestamp};
use kurir_core::policy::Backoff;

use super::LONGEST_TRUCE;

/// Sessions to take, most urgent first.
#[derive(Debug, Default)]
pub(super) struct Takes {
    queue: VecDeque<SessionId>,
    /// Sessions that failed: how often in a row, and when they may be tried again.
    failed: HashMap<SessionId, (u32, Timestamp)>,
}

impl Takes {
    /// What waits from now on. Sessions with one-time passwords go first, by how many wait; the others keep their order.
    pub(super) fn fill(&mut self, mut sessions: Vec<(SessionId, u64)>) {
        sessions.sort_by_key(|(_, otps)| std::cmp::Reverse(*otps));
        self.queue = sessions.into_iter().map(|(session, _)| session).collect();
    }

    pub(super) fn next(&mut self) -> Option<SessionId> {
        self.queue.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Notes that owning a session failed. `fraction` spreads the next try.
    pub(super) fn failed(&mut self, session: SessionId, pause: Backoff, now: Timestamp, fraction: f64) {
        let (times, until) = self.failed.entry(session).or_insert((0, now));
        // A long while after the last time it is a new story.
        if now.since(*until) > LONGEST_TRUCE {
            *times = 0;
        }
        *times += 1;
        *until = now.plus(pause.delay(*times, fraction.max(0.5)));
    }

    /// Whether a session rests after a failure.
    pub(super) fn rests(&self, session: &SessionId, now: Timestamp) -> bool {
        self.failed.get(session).is_some_and(|(_, until)| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(name: &str) -> SessionId {
        SessionId::new(name).unwrap()
    }

    #[test]
    fn sessions_with_waiting_otps_go_first() {
        let mut takes = Takes::default();
        takes.fill(vec![(id("a"), 0), (id("b"), 1), (id("c"), 0), (id("d"), 7)]);
        let order: Vec<_> = std::iter::from_fn(|| takes.next()).collect();
        assert_eq!(order, ["d", "b", "a", "c"].map(id));
        assert!(takes.is_empty());
    }

    #[test]
    fn a_session_that_failed_rests_longer_each_time() {
        let mut takes = Takes::default();
        let pause = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(1) };
        let now = Timestamp::from_millis(0);
        takes.failed(id("a"), pause, now, 1.0);
        assert!(takes.rests(&id("a"), now) && !takes.rests(&id("b"), now));
        let later = now.plus(Duration::from_millis(1500));
        assert!(!takes.rests(&id("a"), later));
        takes.failed(id("a"), pause, later, 1.0);
        assert!(takes.rests(&id("a"), later.plus(Duration::from_millis(1500))));
    }
}
