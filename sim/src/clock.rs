//! Wall-clock time, passed in so that a test decides what a timestamp says.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where timestamps come from.
pub trait Clock: Debug + Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_millis(&self) -> u64;

    /// Seconds since 1970-01-01 UTC, the unit of the `t` attribute of stanzas.
    fn now_secs(&self) -> u64 {
        self.now_millis() / 1000
    }
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_millis(&self) -> u64 {
        // A clock set before 1970 reads as 1970: timestamps are informative here.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
