//! A sender's pace: `governor`'s leaky bucket, with a clock and a state of ours, so that the state is saved with each
//! send and a take-over goes on where the old owner stopped.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::domain::{PaceState, Timestamp};

/// How fast a sender may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceRule {
    /// One message per this span, in the long run.
    pub every: Duration,
    /// As many at once after a pause.
    pub burst: NonZeroU32,
}

/// The saved state: governor's theoretical arrival time, in nanoseconds since the Unix epoch; 0 is "never used".
#[derive(Debug)]
struct Saved(AtomicU64);

impl StateStore for Saved {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // The pacer is used through `&mut`, so there is nobody to race with.
        let before = self.0.load(Ordering::Relaxed);
        let (answer, after) = f((before != 0).then(|| Nanos::new(before)))?;
        self.0.store(after.as_u64(), Ordering::Relaxed);
        Ok(answer)
    }
}

/// The moment that was passed in.
#[derive(Debug, Default)]
struct PassedIn(AtomicU64);

/// `governor` wants a clock that can be cloned; a clone shows the moment it was made at.
impl Clone for PassedIn {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Clock for PassedIn {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed))
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(1_000_000)
}

/// A sender's pacer. One per session, in its owner's hands.
pub struct Pacer {
    rule: PaceRule,
    quota: Quota,
    saved: PaceState,
}

impl Pacer {
    /// Goes on from a saved state.
    pub fn new(rule: PaceRule, saved: PaceState) -> Self {
        // A span of zero means no limit; governor wants a positive one.
        let every = rule.every.max(Duration::from_nanos(1));
        let quota =
            Quota::with_period(every).unwrap_or_else(|| unreachable!("the period is positive")).allow_burst(rule.burst);
        Self { rule, quota, saved }
    }

    /// Another rule from `now` on. As many messages as were ahead of the old pace are ahead of the new one: neither is a slower
    /// pace a new burst, nor does a faster one wait for what the old one would have.
    pub fn change(&mut self, rule: PaceRule, now: Timestamp) {
        let (before, now) = (self.rule.every.as_nanos().max(1), nanos(now));
        let ahead = u128::from(self.saved.0.saturating_sub(now));
        let ahead = ahead.saturating_mul(rule.every.as_nanos()).div_ceil(before);
        let mut saved = self.saved;
        if ahead > 0 {
            saved.0 = now.saturating_add(u64::try_from(ahead).unwrap_or(u64::MAX));
        }
        *self = Self::new(rule, saved);
    }

    /// Takes one message's worth at `now`, or tells how long to wait for it.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        // A state further ahead than the whole burst comes from a clock that was wrong; following it could stop the
        // sender for years.
        let ahead = self.rule.every.saturating_mul(self.rule.burst.get());
        let latest = nanos(now).saturating_add(u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX));
        self.saved.0 = self.saved.0.min(latest);
        let state = Saved(AtomicU64::new(self.saved.0));
        // governor counts from the moment the limiter is made, so it is made at 0 to count from the Unix epoch.
        let clock = PassedIn::default();
        let limiter: RateLimiter<NotKeyed, Saved, PassedIn, NoOpMiddleware<Nanos>> =
            RateLimiter::new(self.quota, state, clock);
        limiter.clock().0.store(nanos(now), Ordering::Relaxed);
        let answer = limiter.check();
        if let Err(not_until) = answer {
            let wait: Duration = not_until.earliest_possible().duration_since(Nanos::new(nanos(now))).into();
            // Callers count in whole milliseconds; rounding down would ask a moment too early.
            return Err(Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1)));
        }
        self.saved = PaceState(limiter.into_state_store().0.load(Ordering::Relaxed));
        Ok(())
    }

    /// How many could be taken at once at `now`.
    pub fn left(&self, now: Timestamp) -> u32 {
        let every = self.rule.every.as_nanos().max(1);
        let whole = every * u128::from(self.rule.burst.get());
        let free = whole.saturating_sub(u128::from(self.saved.0.saturating_sub(nanos(now))));
        u32::try_from(free / every).unwrap_or(u32::MAX)
    }

    /// The rule that it keeps.
    pub const fn rule(&self) -> PaceRule {
        self.rule
    }

    /// The state to save with the send.
    pub const fn state(&self) -> PaceState {
        self.saved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(every_ms: u64, burst: u32) -> PaceRule {
        PaceRule { every: Duration::from_millis(every_ms), burst: NonZeroU32::new(burst).unwrap() }
    }

    const T0: i64 = 1_790_000_000_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(T0 + ms)
    }

    #[test]
    fn a_burst_and_then_the_pace() {
        let mut pacer = Pacer::new(rule(1000, 3), PaceState::default());
        for _ in 0..3 {
            pacer.take(at(0)).unwrap();
        }
        let wait = pacer.take(at(0)).unwrap_err();
        assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_millis(1002), "{wait:?}");
        assert_eq!((pacer.left(at(0)), pacer.left(at(1000)), pacer.left(at(60_000))), (0, 1, 3));
        pacer.take(at(1001)).unwrap();
        assert!(pacer.take(at(1002)).is_err());
    }

    #[test]
    fn a_take_over_goes_on_where_the_old_owner_stopped() {
        let mut first = Pacer::new(rule(1000, 1), PaceState::default());
        first.take(at(0)).unwrap();
        let mut second = Pacer::new(rule(1000, 1), first.state());
        assert!(second.take(at(500)).is_err());
        second.take(at(1001)).unwrap();
    }

    #[test]
    fn another_rule_is_no_new_burst_and_a_faster_one_is_felt_at_once() {
        let mut pacer = Pacer::new(rule(60_000, 1), PaceState::default());
        pacer.take(at(0)).unwrap();
        pacer.change(rule(1000, 1), at(0));
        assert!(pacer.take(at(500)).is_err(), "what was spent stays spent");
        pacer.take(at(1001)).unwrap();
        pacer.change(rule(5000, 1), at(1001));
        assert!(pacer.take(at(4000)).is_err());
        pacer.take(at(6010)).unwrap();

        let mut pacer = Pacer::new(rule(3000, 5), PaceState::default());
        for _ in 0..5 {
            pacer.take(at(0)).unwrap();
        }
        pacer.change(rule(60_000, 5), at(0));
        assert_eq!(pacer.left(at(0)), 0, "a slower pace is no new burst");
        let wait = pacer.take(at(0)).unwrap_err();
        assert!(wait >= Duration::from_mins(1) && wait <= Duration::from_millis(60_002), "{wait:?}");
        pacer.change(rule(0, 1), at(0));
        pacer.take(at(1)).unwrap();
    }

    #[test]
    fn a_refused_take_costs_nothing_and_a_state_from_the_future_does_not_stop_for_ever() {
        let mut pacer = Pacer::new(rule(1000, 1), PaceState(nanos(at(86_400_000_000))));
        let wait = pacer.take(at(0)).unwrap_err();
        assert!(wait <= Duration::from_millis(1001), "{wait:?}");
        pacer.take(at(1001)).unwrap();
    }

    #[test]
    fn in_the_long_run_the_pace_is_kept() {
        let mut pacer = Pacer::new(rule(200, 5), PaceState::default());
        let sent = (0..60_000).filter(|ms| pacer.take(at(*ms)).is_ok()).count();
        assert!((300..=306).contains(&sent), "{sent}");
    }
}
