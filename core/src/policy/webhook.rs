//! When a webhook is told again, and when it is given up.

use std::time::Duration;

use super::Backoff;
use crate::domain::{Timestamp, WebhookHealth};

/// How patient webhooks are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookRule {
    /// Pauses between the attempts of one delivery.
    pub backoff: Backoff,
    /// How long one event is tried.
    pub patience: Duration,
    /// After so many failures in a row the webhook is left alone for a while, and then tried with one delivery at a time.
    pub breaks_after: u32,
    /// How long it is left alone.
    pub rest: Backoff,
    /// A webhook that has failed for so long, without anything taken in between, is disabled.
    pub dead_after: Duration,
}

impl WebhookRule {
    /// When a delivery that came to be at `created` and has failed `attempts` times is tried again; `None`: no more. A
    /// webhook that names a longer pause gets it.
    pub fn again(
        &self,
        created: Timestamp,
        attempts: u32,
        asked: Option<Duration>,
        now: Timestamp,
        fraction: f64,
    ) -> Option<Timestamp> {
        let end = created.plus(self.patience);
        if now >= end {
            return None;
        }
        let pause = self.backoff.delay(attempts, fraction).max(asked.unwrap_or_default());
        // The last attempt is at the end, not before it.
        Some(now.plus(pause).min(end))
    }

    /// Until when a webhook is left alone that has failed `failures` times in a row, this time included.
    pub fn rest_until(&self, failures: u32, now: Timestamp, fraction: f64) -> Option<Timestamp> {
        let over = failures.checked_sub(self.breaks_after)?;
        Some(now.plus(self.rest.delay(over + 1, fraction)))
    }

    /// How many deliveries a webhook may have under way, of `most`.
    pub const fn width(&self, health: &WebhookHealth, most: usize) -> usize {
        if health.failures >= self.breaks_after { 1 } else { most }
    }

    /// Whether it has failed for too long.
    pub fn is_dead(&self, health: &WebhookHealth, now: Timestamp) -> bool {
        health.disabled.is_none() && health.failing_since.is_some_and(|since| now.since(since) >= self.dead_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: WebhookRule = WebhookRule {
        backoff: Backoff { base: Duration::from_secs(5), max: Duration::from_hours(2) },
        patience: Duration::from_hours(24),
        breaks_after: 5,
        rest: Backoff { base: Duration::from_secs(10), max: Duration::from_mins(5) },
        dead_after: Duration::from_hours(72),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_delivery_is_tried_over_a_day_with_growing_pauses() {
        let (mut now, mut attempts) = (at(0), 0);
        while let Some(next) = {
            attempts += 1;
            RULE.again(at(0), attempts, None, now, 1.0)
        } {
            assert!(next > now);
            now = next;
        }
        assert_eq!(now, at(24 * 3600), "the last one is at the end of the day");
        assert!((15..30).contains(&attempts), "{attempts}");
    }

    #[test]
    fn a_webhook_that_names_a_pause_gets_it() {
        let asked = Some(Duration::from_mins(10));
        assert_eq!(RULE.again(at(0), 1, asked, at(0), 0.0), Some(at(600)));
        let asked = Some(Duration::from_hours(48));
        assert_eq!(RULE.again(at(0), 1, asked, at(0), 0.0), Some(at(24 * 3600)), "but no more than there is time");
    }

    #[test]
    fn who_fails_again_and_again_is_left_alone_and_tried_with_one() {
        assert_eq!(RULE.rest_until(4, at(0), 1.0), None);
        assert_eq!(RULE.rest_until(5, at(0), 1.0), Some(at(10)));
        assert_eq!(RULE.rest_until(6, at(0), 1.0), Some(at(20)));
        assert_eq!(RULE.rest_until(u32::MAX, at(0), 1.0), Some(at(300)));
        let health = |failures| WebhookHealth { failures, ..WebhookHealth::default() };
        assert_eq!((RULE.width(&health(4), 8), RULE.width(&health(5), 8)), (8, 1));
    }

    #[test]
    fn who_fails_for_too_long_is_dead() {
        let health = WebhookHealth { failing_since: Some(at(10)), failures: 1, ..WebhookHealth::default() };
        assert!(!RULE.is_dead(&health, at(72 * 3600)));
        assert!(RULE.is_dead(&health, at(10 + 72 * 3600)));
        assert!(!RULE.is_dead(&WebhookHealth::default(), at(u64::from(u32::MAX))));
    }
}
