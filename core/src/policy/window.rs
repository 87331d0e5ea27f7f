//! Counting in windows of time.

use std::time::Duration;

use crate::domain::Timestamp;

/// The window that a moment belongs to: where it began. Windows follow each other without a gap, for all counters alike.
pub fn window_of(now: Timestamp, span: Duration) -> Timestamp {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_millis(now.as_millis().div_euclid(span).saturating_mul(span))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_moment_lies_in_its_window(now in -4_000_000_000_000_i64..4_000_000_000_000, span in 1..100_000_000_u64) {
            let (now, span) = (Timestamp::from_millis(now), Duration::from_millis(span));
            let start = window_of(now, span);
            prop_assert!(start <= now && now < start.plus(span));
            prop_assert_eq!(window_of(start, span), start);
            prop_assert_eq!(window_of(start.plus(span), span), start.plus(span));
        }
    }
}
