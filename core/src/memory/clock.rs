//! The clocks: the machine's, and one that tests move by hand.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::lock;
use crate::domain::Timestamp;
use crate::port::Clock;

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// `std`'s `Instant` stands still while a Linux machine sleeps; this clock does not.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock is the closest there is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Before 1970 the clock is plainly not set; zero is as good as any other moment then.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn boot(&self) -> Duration {
        let time = clock_gettime(BOOT);
        // The kernel counts from the start of the machine, so neither part is negative.
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// A clock that moves only when it is told to.
#[derive(Debug)]
pub struct ManualClock {
    time: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// A clock that stands at this moment; its boot time begins at zero.
    pub const fn new(at: Timestamp) -> Self {
        Self { time: Mutex::new((at, Duration::ZERO)) }
    }

    /// Lets this much time pass, on both clocks.
    pub fn advance(&self, span: Duration) {
        let mut time = lock(&self.time);
        time.0 = time.0.plus(span);
        time.1 += span;
    }

    /// Sets the wall clock, as an operator or NTP does; boot time is untouched.
    pub fn set_wall(&self, at: Timestamp) {
        lock(&self.time).0 = at;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        lock(&self.time).0
    }

    fn boot(&self) -> Duration {
        lock(&self.time).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_both_clocks() {
        let (first, second) = (SystemClock.boot(), SystemClock.boot());
        assert!(first > Duration::ZERO && second >= first);
        assert!(SystemClock.now() > Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
    }

    #[test]
    fn a_manual_clock_goes_by_hand() {
        let clock = ManualClock::new(Timestamp::from_millis(1000));
        clock.advance(Duration::from_millis(5));
        assert_eq!((clock.now(), clock.boot()), (Timestamp::from_millis(1005), Duration::from_millis(5)));
        clock.set_wall(Timestamp::from_millis(3));
        assert_eq!((clock.now(), clock.boot()), (Timestamp::from_millis(3), Duration::from_millis(5)));
    }
}
