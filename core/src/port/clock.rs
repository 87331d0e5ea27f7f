//! Time, passed in.

use std::time::Duration;

use crate::domain::Timestamp;

/// The two clocks that kurir needs.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, never going back, and going on while the machine sleeps (Linux's boot time):
    /// a lease that ran out while the machine slept must be noticed when it wakes.
    fn boot(&self) -> Duration;
}
