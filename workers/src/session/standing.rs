//! What a sender could take of a pool's jobs: the gate's limits as those see them who share the pool with it.

use kurir_core::domain::{Lane, Timestamp};

/// Whether a sender takes jobs of a lane from its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does. The more is left of its day, the higher its priority.
    Open {
        /// Among those of its pool.
        priority: u8,
    },
    /// Not before this moment.
    Shut {
        /// When its rest or its day is over.
        until: Timestamp,
    },
}

/// The standing of both lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standings {
    pub(crate) otp: Standing,
    pub(crate) bulk: Standing,
}

impl Standings {
    /// That of one lane.
    pub(crate) const fn of(self, lane: Lane) -> Standing {
        match lane {
            Lane::Otp => self.otp,
            Lane::Bulk => self.bulk,
        }
    }

    /// The next moment at which a lane opens.
    pub(super) fn opens(self) -> Option<Timestamp> {
        [self.otp, self.bulk]
            .into_iter()
            .filter_map(|standing| match standing {
                Standing::Shut { until } => Some(until),
                Standing::Open { .. } => None,
            })
            .min()
    }
}

/// The priority of one who may send so many more messages today; `None`: any number. A step for each doubling, because
/// the broker learns of a change only by a new subscription.
pub(super) fn priority(left: Option<u32>) -> u8 {
    left.map_or(u8::try_from(u32::BITS).unwrap_or(u8::MAX) + 1, |left| {
        u8::try_from(u32::BITS - left.leading_zeros()).unwrap_or(u8::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_more_left_comes_first_and_who_has_no_limit_before_all() {
        let order = [Some(0), Some(1), Some(2), Some(5), Some(50), Some(1000), Some(u32::MAX), None].map(priority);
        assert!(order.is_sorted_by(|one, other| one < other), "{order:?}");
        assert_eq!(priority(Some(900)), priority(Some(600)), "a few messages change nothing");
    }
}
