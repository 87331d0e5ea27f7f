//! Back-off with full jitter.

use std::time::Duration;

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
    /// The span before try number `attempt` (1 is the first repetition), with `fraction` drawn from `0.0..1.0`.
    /// Never below a tenth of the span, so that a retry is not an immediate repetition.
    pub fn delay(&self, attempt: u32, fraction: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let span = self.base.saturating_mul(1 << doublings).min(self.max);
        span.mul_f64(fraction.clamp(0.1, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_double_up_to_the_limit() {
        let backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(30) };
        let spans: Vec<u64> = (1..=7).map(|n| backoff.delay(n, 1.0).as_secs()).collect();
        assert_eq!(spans, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.delay(u32::MAX, 0.5), Duration::from_secs(15));
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(100));
    }
}
