//! What happens in a worker, told to whoever counts.

use kurir_core::domain::{FailReason, Lane, SessionState, Timestamp};

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// Taken.
    Acquired,
    /// Given back.
    Released,
    /// Somebody else has it, or it could not be renewed in time.
    Lost,
}

impl LeaseChange {
    /// Every change.
    pub const ALL: [Self; 3] = [Self::Acquired, Self::Released, Self::Lost];

    /// The change in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}

/// Hears of what only the loops know; what goes through a port can be counted there. It is called on the way of every
/// job, so it must neither block nor wait. Whoever does not care for something leaves it out.
pub trait Observer: Send + Sync {
    /// A lease of this worker has changed.
    fn lease(&self, change: LeaseChange) {
        let _ = change;
    }

    /// A session of this worker came to stand in this state.
    fn session(&self, state: SessionState) {
        let _ = state;
    }

    /// A job was handed to this worker, which the queue took at `since`. `first`: for the first time.
    fn taken(&self, lane: Lane, since: Timestamp, now: Timestamp, first: bool) {
        let _ = (lane, since, now, first);
    }

    /// A job that was [taken](Observer::taken) is out of this worker's hands, whatever became of it.
    fn settled(&self, lane: Lane, since: Timestamp) {
        let _ = (lane, since);
    }

    /// A job has to wait for this reason.
    fn put_off(&self, reason: FailReason) {
        let _ = reason;
    }
}

/// Nobody counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
