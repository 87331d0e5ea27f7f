//! Who has died, judged from who was seen alive.

use std::collections::BTreeSet;

use crate::domain::Sight;

/// The processes that were seen alive at the last look.
#[derive(Clone, Debug, Default)]
pub struct RollCall {
    seen: BTreeSet<u64>,
}

impl RollCall {
    /// What has changed since the last look, deaths first.
    pub fn look(&mut self, alive: BTreeSet<u64>) -> Vec<Sight> {
        let died = self.seen.difference(&alive).map(|process| Sight::Died(*process));
        let appeared = alive.difference(&self.seen).map(|process| Sight::Appeared(*process));
        let sights = died.chain(appeared).collect();
        self.seen = alive;
        sights
    }

    /// The view was lost, perhaps everybody's signs of life with it: nobody counts as dead who is not seen again first.
    pub fn forget(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_seen_and_is_not_there_has_died() {
        let mut roll = RollCall::default();
        assert_eq!(roll.look([1, 2].into()), [Sight::Appeared(1), Sight::Appeared(2)]);
        assert_eq!(roll.look([1, 2].into()), []);
        assert_eq!(roll.look([2, 3].into()), [Sight::Died(1), Sight::Appeared(3)]);
    }

    #[test]
    fn after_the_view_was_lost_nobody_has_died() {
        let mut roll = RollCall::default();
        roll.look([1, 2].into());
        roll.forget();
        assert_eq!(roll.look([2].into()), [Sight::Appeared(2)]);
        assert_eq!(roll.look([].into()), [Sight::Died(2)]);
    }
}
