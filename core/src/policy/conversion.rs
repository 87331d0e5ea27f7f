//! Prefixes whose codes never come back: somebody has codes sent for the money that each message earns.

use crate::domain::{ConversionRule, PrefixRecord, Timestamp, Traffic};

/// A prefix's record after something happened at `now`, and whether that blocks it.
///
/// Only what has ended is judged: a crowd that registers at the same moment has not converted yet and is no fraud. How
/// much is sent before the first codes have ended is for the limit per prefix.
pub fn counted(record: &PrefixRecord, what: Traffic, rule: &ConversionRule, now: Timestamp) -> (PrefixRecord, bool) {
    let mut next = record.clone();
    if now.since(record.since) >= rule.window {
        let anew = PrefixRecord::new(record.id, record.prefix.clone(), now);
        next = PrefixRecord { blocked_until: record.blocked_until, ..anew };
    }
    match what {
        Traffic::Begun => next.begun = next.begun.saturating_add(1),
        Traffic::Approved => next.approved = next.approved.saturating_add(1),
        Traffic::Lost => next.lost = next.lost.saturating_add(1),
    }
    let hopeless = rule.most_lost > 0 && next.approved == 0 && next.lost >= rule.most_lost;
    let blocks = what == Traffic::Lost && hopeless && next.blocked(now).is_none();
    if blocks {
        // Its end is a new chance: what was lost before does not count any more then.
        next = PrefixRecord::new(record.id, record.prefix.clone(), now);
        next.blocked_until = Some(now.plus(rule.block));
    }
    (next, blocks)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{NumberPrefix, PhoneNumber, PrefixId};

    const RULE: ConversionRule =
        ConversionRule { window: Duration::from_hours(24), most_lost: 3, block: Duration::from_hours(6) };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn fresh() -> PrefixRecord {
        let number = PhoneNumber::parse("6281234567890", None).unwrap();
        PrefixRecord::new(PrefixId([7; 16]), NumberPrefix::of(&number), at(0))
    }

    #[test]
    fn three_losses_and_no_approval_block_and_the_end_is_a_new_chance() {
        let mut record = fresh();
        assert_eq!(record.prefix.digits(), "628123456");
        for lost in 1..=2 {
            let (next, blocks) = counted(&record, Traffic::Lost, &RULE, at(lost));
            assert!(!blocks);
            record = next;
        }
        let (blocked, blocks) = counted(&record, Traffic::Lost, &RULE, at(3));
        assert!(blocks);
        assert_eq!(blocked.blocked(at(4)), Some(at(3).plus(RULE.block)));
        let after = at(3 + 6 * 3600);
        assert_eq!(blocked.blocked(after), None);
        let (next, blocks) = counted(&blocked, Traffic::Lost, &RULE, after);
        assert!(!blocks && next.lost == 1);
        let never = ConversionRule { most_lost: 0, ..RULE };
        assert!(!counted(&record, Traffic::Lost, &never, at(3)).1);
    }

    proptest! {
        /// One code that came back in the window is enough, and whoever is blocked is blocked for what the rule says.
        #[test]
        fn what_converts_is_never_blocked(steps in proptest::collection::vec((0..7200_u64, 0..3_u8), 1..200)) {
            let (mut record, mut now) = (fresh(), 0);
            for (pause, what) in steps {
                now += pause;
                let what = [Traffic::Begun, Traffic::Approved, Traffic::Lost][usize::from(what)];
                let (next, blocks) = counted(&record, what, &RULE, at(now));
                if blocks {
                    prop_assert!(what == Traffic::Lost && record.lost + 1 >= RULE.most_lost);
                    prop_assert!(record.approved == 0 || at(now).since(record.since) >= RULE.window);
                    prop_assert!(record.blocked(at(now)).is_none());
                    prop_assert_eq!(next.blocked_until, Some(at(now).plus(RULE.block)));
                }
                prop_assert!(at(now).since(next.since) < RULE.window);
                record = next;
            }
        }
    }
}
