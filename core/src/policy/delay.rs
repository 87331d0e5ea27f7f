//! The steps of the delay queues.

use std::time::Duration;

/// The constant delays that parked jobs go through. A queue with one constant delay never has a head that blocks a
/// shorter one behind it; a long wait is made of several steps.
pub const DELAY_STEPS: [Duration; 12] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
];

/// The largest step that is not longer than `wait`; the smallest one if all are.
pub fn delay_step(wait: Duration) -> Duration {
    DELAY_STEPS.into_iter().rev().find(|step| *step <= wait).unwrap_or(DELAY_STEPS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_step_that_fits() {
        let of = |ms| delay_step(Duration::from_millis(ms)).as_millis();
        assert_eq!(of(0), 1000);
        assert_eq!(of(1999), 1000);
        assert_eq!(of(2000), 2000);
        assert_eq!(of(59_999), 30_000);
        assert_eq!(of(u64::MAX), 21_600_000);
        assert!(DELAY_STEPS.is_sorted());
    }
}
