//! How messages have ended, counted.

use super::MessageState;

/// How the messages of a while have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Those that were not sent, or of which it is not known.
    pub failed: u64,
    /// All that have ended; those that were taken back apart, which somebody wanted so.
    pub all: u64,
}

impl Ended {
    /// Of how many messages there are in each state.
    pub fn of(counts: &[(MessageState, u64)]) -> Self {
        let mut ended = Self::default();
        for (state, count) in counts {
            match state {
                MessageState::Sent | MessageState::Delivered | MessageState::Read => ended.all += count,
                MessageState::Failed | MessageState::Expired | MessageState::Uncertain => {
                    ended.failed += count;
                    ended.all += count;
                }
                MessageState::Queued | MessageState::Delayed | MessageState::Sending | MessageState::Cancelled => {}
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_or_is_on_its_way_has_not_ended() {
        let counts: Vec<_> = MessageState::ALL.into_iter().map(|state| (state, 1)).collect();
        assert_eq!(Ended::of(&counts), Ended { failed: 3, all: 6 });
        assert_eq!(Ended::of(&[]), Ended::default());
    }
}
