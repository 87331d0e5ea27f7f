//! What became of messages, counted by steps of time, and what still waits.

use std::time::Duration;

use crate::domain::{Lane, LedgerEntry, MessageState, SessionId, Timestamp};

/// A stretch of time, cut into steps of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Where the first one begins.
    pub from: Timestamp,
    /// How long each is; a millisecond at least.
    pub each: Duration,
    /// How many there are.
    pub count: u16,
}

impl Steps {
    /// The last `count` steps, the one that `now` is in being the last of them. They begin at whole multiples of their length,
    /// so that the same message is always counted in the same step.
    pub fn until(now: Timestamp, each: Duration, count: u16) -> Self {
        let millis = Self { from: now, each, count }.millis();
        let last = now.as_millis().div_euclid(millis).saturating_mul(millis);
        let before = millis.saturating_mul(i64::from(count.saturating_sub(1)));
        Self { from: Timestamp::from_millis(last.saturating_sub(before)), each, count }
    }

    /// The length of a step in milliseconds, never zero.
    pub fn millis(&self) -> i64 {
        i64::try_from(self.each.as_millis()).unwrap_or(i64::MAX).max(1)
    }

    /// Where the last one ends.
    pub fn end(&self) -> Timestamp {
        let length = self.millis().saturating_mul(i64::from(self.count));
        Timestamp::from_millis(self.from.as_millis().saturating_add(length))
    }

    /// Which step a moment is in, counted from 0; `None`: in none of them.
    pub fn place(&self, at: Timestamp) -> Option<usize> {
        let after = at.as_millis().checked_sub(self.from.as_millis()).filter(|after| *after >= 0)?;
        usize::try_from(after / self.millis()).ok().filter(|place| *place < usize::from(self.count))
    }

    /// Where each step begins, with nothing counted yet.
    pub fn empty(&self) -> Vec<Activity> {
        let begins =
            (0..i64::from(self.count)).map(|n| self.from.as_millis().saturating_add(n.saturating_mul(self.millis())));
        begins.map(|at| Activity::none(Timestamp::from_millis(at))).collect()
    }
}

/// How many messages came to stand where within one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// When the step began.
    pub at: Timestamp,
    /// Enqueued.
    pub accepted: u64,
    /// Taken by WhatsApp's server.
    pub sent: u64,
    /// Of those that were sent within this step: come to a phone until now.
    pub arrived: u64,
    /// Come to a phone, whenever they were sent.
    pub delivered: u64,
    /// Read.
    pub read: u64,
    /// Failed.
    pub failed: u64,
    /// Too late.
    pub expired: u64,
    /// On the wire and never answered for.
    pub uncertain: u64,
    /// Taken back.
    pub cancelled: u64,
}

impl Activity {
    /// Nothing.
    pub const fn none(at: Timestamp) -> Self {
        Self {
            at,
            accepted: 0,
            sent: 0,
            arrived: 0,
            delivered: 0,
            read: 0,
            failed: 0,
            expired: 0,
            uncertain: 0,
            cancelled: 0,
        }
    }

    /// Counts `many` that came to stand in this state; `Queued` are those that were accepted. States that a message only passes
    /// on its way are not counted.
    pub const fn add(&mut self, state: MessageState, many: u64) {
        let count = match state {
            MessageState::Queued => &mut self.accepted,
            MessageState::Sent => &mut self.sent,
            MessageState::Delivered => &mut self.delivered,
            MessageState::Read => &mut self.read,
            MessageState::Failed => &mut self.failed,
            MessageState::Expired => &mut self.expired,
            MessageState::Uncertain => &mut self.uncertain,
            MessageState::Cancelled => &mut self.cancelled,
            MessageState::Delayed | MessageState::Sending => return,
        };
        *count = count.saturating_add(many);
    }

    /// Counts an entry into the steps that its moments are in.
    pub fn count(entry: &LedgerEntry, steps: &Steps, into: &mut [Self]) {
        let moments = [
            (MessageState::Queued, Some(entry.enqueued_at)),
            (MessageState::Sent, entry.sent_at),
            (MessageState::Delivered, entry.delivered_at),
            (MessageState::Read, entry.read_at),
            (entry.state, entry.ended_at),
        ];
        for (state, at) in moments {
            let Some(step) = at.and_then(|at| steps.place(at)).and_then(|place| into.get_mut(place)) else { continue };
            step.add(state, 1);
            if state == MessageState::Sent && entry.delivered_at.is_some() {
                step.arrived += 1;
            }
        }
    }
}

/// The messages of a lane that wait, for somebody to send them or for their moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Of this session; `None`: of pools, and bound to no session yet.
    pub session: Option<SessionId>,
    /// Their lane.
    pub lane: Lane,
    /// How many.
    pub messages: u64,
    /// When the oldest of them was enqueued.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_at_whole_multiples_and_the_last_holds_now() {
        let at = Timestamp::from_millis;
        let steps = Steps::until(at(125_000), Duration::from_mins(1), 3);
        assert_eq!((steps.from, steps.end()), (at(0), at(180_000)));
        assert_eq!([0, 59_999, 60_000, 179_999].map(|n| steps.place(at(n))), [Some(0), Some(0), Some(1), Some(2)]);
        assert_eq!([-1, 180_000, i64::MIN, i64::MAX].map(|n| steps.place(at(n))), [None; 4]);
        let begins: Vec<_> = steps.empty().iter().map(|step| step.at.as_millis()).collect();
        assert_eq!(begins, [0, 60_000, 120_000]);
    }

    #[test]
    fn a_step_without_length_is_a_millisecond() {
        let steps = Steps { from: Timestamp::from_millis(5), each: Duration::ZERO, count: 2 };
        assert_eq!((steps.end().as_millis(), steps.place(Timestamp::from_millis(6))), (7, Some(1)));
    }
}
