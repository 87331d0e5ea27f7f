//! Back-off with full jitter.

use std::time::Duration;

/// What even the luckiest draw waits, unless the span itself is shorter: a pause of nothing would make a loop spin.
const LEAST: Duration = Duration::from_millis(50);

/// Spans that double up to a limit, each drawn evenly between nothing and the whole span, so that many who failed
/// together don't come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first span.
    pub base: Duration,
    /// The longest span.
    pub max: Duration,
}

impl Backoff {
    /// The pause before try number `attempt` (1 is the first repetition), with `fraction` drawn from `0.0..1.0`: that
    /// part of the span, and at least 50 ms or, where the span is shorter, all of it.
    pub fn delay(&self, attempt: u32, fraction: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let span = self.base.saturating_mul(1 << doublings).min(self.max);
        span.mul_f64(fraction.clamp(0.0, 1.0)).max(LEAST.min(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(30) };

    #[test]
    fn spans_double_up_to_the_limit() {
        let spans: Vec<u64> = (1..=7).map(|n| BACKOFF.delay(n, 1.0).as_secs()).collect();
        assert_eq!(spans, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(BACKOFF.delay(u32::MAX, 0.5), Duration::from_secs(15));
    }

    #[test]
    fn pauses_are_spread_evenly_over_the_whole_span() {
        let draws = 1000;
        let pauses: Vec<_> = (0..draws).map(|n| BACKOFF.delay(6, f64::from(n) / f64::from(draws))).collect();
        for tenth in 0..10 {
            let from = Duration::from_secs(3) * tenth;
            let within = |pause: &&Duration| (from..from + Duration::from_secs(3)).contains(*pause);
            let count = pauses.iter().filter(within).count();
            assert!((99..=101).contains(&count), "{count} of {draws} in tenth number {tenth}");
        }
    }

    #[test]
    fn the_luckiest_draw_does_not_spin() {
        assert_eq!(BACKOFF.delay(1, 0.0), LEAST);
        let short = Backoff { base: Duration::from_millis(20), max: Duration::from_secs(1) };
        assert_eq!(short.delay(1, 0.0), Duration::from_millis(20));
        assert_eq!(Backoff { base: Duration::ZERO, max: Duration::ZERO }.delay(3, 0.7), Duration::ZERO);
    }
}
