//! When so many messages fail that somebody has to hear of it.

use crate::domain::Ended;

/// From when on it is told that messages fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureRule {
    /// With fewer messages that have ended there is nothing to be said.
    pub least: u64,
    /// Above this share of them, in hundredths; 0: nothing is ever told.
    pub percent: u32,
}

impl FailureRule {
    /// Whether the alert stands now, if it stood `before`. Where there is nothing to be said it stays as it is, but for one
    /// thing: where nothing fails it doesn't stand.
    pub fn stands(self, ended: Ended, before: bool) -> bool {
        if self.percent == 0 || ended.failed == 0 {
            return false;
        }
        if ended.all < self.least {
            return before;
        }
        // Counts of messages are far from the largest numbers there are; whatever comes, it does not wrap.
        ended.failed.saturating_mul(100) > ended.all.saturating_mul(u64::from(self.percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: FailureRule = FailureRule { least: 20, percent: 10 };

    fn stands(failed: u64, all: u64, before: bool) -> bool {
        RULE.stands(Ended { failed, all }, before)
    }

    #[test]
    fn it_stands_above_the_share_and_not_at_it() {
        for before in [false, true] {
            assert!(!stands(2, 20, before) && stands(3, 20, before));
            assert!(!stands(100, 1000, before) && stands(101, 1000, before));
            assert!(stands(u64::MAX, u64::MAX, before) || !stands(0, u64::MAX, before));
        }
    }

    #[test]
    fn of_few_messages_nothing_is_said() {
        assert!(!stands(19, 19, false), "no alert of a handful");
        assert!(stands(1, 5, true), "and no all-clear by it");
        assert!(!stands(0, 5, true) && !stands(0, 0, true), "but where nothing fails there is no alert");
    }

    #[test]
    fn it_can_be_switched_off() {
        let off = FailureRule { percent: 0, ..RULE };
        assert!(!off.stands(Ended { failed: 100, all: 100 }, true));
        let all = FailureRule { percent: 100, ..RULE };
        assert!(!all.stands(Ended { failed: 100, all: 100 }, false), "more than all can't fail");
    }
}
