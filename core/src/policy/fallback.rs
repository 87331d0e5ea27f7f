//! When a code is sent through the next channel.

use std::time::Duration;

use crate::domain::{MessageState, Timestamp};

/// The first and the longest pause between two looks at a message that is under way.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What is to be done about a code on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnItsWay {
    /// The phone has it.
    Reached,
    /// Look again at this moment.
    Wait(Timestamp),
    /// It will not arrive in time: use the next channel.
    GiveUp,
}

/// Judges a message that was begun at `since` and has come to `state`, by a channel that has `patience`. Looks come soon
/// at first and then ever more rarely. What waits in the `last` channel goes on waiting: to take it back would help nobody, and its
/// own deadline ends it.
pub fn on_its_way(state: MessageState, since: Timestamp, patience: Duration, last: bool, now: Timestamp) -> OnItsWay {
    match state {
        MessageState::Delivered | MessageState::Read => OnItsWay::Reached,
        MessageState::Failed | MessageState::Expired | MessageState::Uncertain | MessageState::Cancelled => {
            OnItsWay::GiveUp
        }
        MessageState::Queued | MessageState::Delayed | MessageState::Sending | MessageState::Sent => {
            let end = since.plus(patience);
            if now >= end {
                let waits = matches!(state, MessageState::Queued | MessageState::Delayed);
                return if last && waits {
                    OnItsWay::Wait(now.plus(patience.max(LONGEST_PAUSE)))
                } else {
                    OnItsWay::GiveUp
                };
            }
            let pause = now.since(since).clamp(FIRST_LOOK, LONGEST_PAUSE);
            OnItsWay::Wait(now.plus(pause).min(end))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000).plus(Duration::from_millis(millis))
    }

    #[test]
    fn ends_are_ends_at_once() {
        let judge = |state| on_its_way(state, at(0), Duration::from_secs(30), true, at(10));
        assert_eq!(judge(MessageState::Read), OnItsWay::Reached);
        for state in [MessageState::Failed, MessageState::Expired, MessageState::Uncertain, MessageState::Cancelled] {
            assert_eq!(judge(state), OnItsWay::GiveUp, "{state}");
        }
        assert_eq!(judge(MessageState::Sent), OnItsWay::Wait(at(1010)));
    }

    #[test]
    fn only_where_there_is_another_channel_what_waits_is_given_up() {
        let judge = |state, last| on_its_way(state, at(0), Duration::from_secs(30), last, at(30_000));
        for state in [MessageState::Queued, MessageState::Delayed] {
            assert_eq!(judge(state, false), OnItsWay::GiveUp, "{state}");
            assert_eq!(judge(state, true), OnItsWay::Wait(at(60_000)), "{state}");
        }
        for state in [MessageState::Sending, MessageState::Sent] {
            assert_eq!(judge(state, true), OnItsWay::GiveUp, "{state}");
        }
    }

    proptest! {
        /// Whoever looks when told comes to the end of the patience exactly, in few looks.
        #[test]
        fn looks_lead_to_the_end_of_patience(patience in 1..600_000_u64) {
            let (mut now, mut looks) = (at(0), 0);
            while let OnItsWay::Wait(next) =
                on_its_way(MessageState::Sending, at(0), Duration::from_millis(patience), true, now)
            {
                prop_assert!(next > now);
                now = next;
                looks += 1;
            }
            prop_assert_eq!(now, at(patience));
            prop_assert!(looks <= 6 + patience / 8000, "{} looks", looks);
        }
    }
}
