//! What a sender has spent: its pace, its day, and the rest that WhatsApp demands of it.

use serde::{Deserialize, Serialize};

use super::{FailReason, Lane, PaceState, PhoneNumber, Timestamp};

/// What a sender has put on the wire on one day of its own calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DayCount {
    /// Which day: days since 1970-01-01 in the number's own time zone.
    pub day: i32,
    /// Messages of the otp lane.
    pub otp: u32,
    /// Messages of the bulk lane.
    pub bulk: u32,
    /// Those of `otp` that went to a recipient for the first time.
    pub cold_otp: u32,
    /// Those of `bulk` that went to a recipient for the first time.
    pub cold_bulk: u32,
}

impl DayCount {
    /// A day on which nothing was sent yet.
    pub const fn of(day: i32) -> Self {
        Self { day, otp: 0, bulk: 0, cold_otp: 0, cold_bulk: 0 }
    }

    /// All messages.
    pub const fn sent(&self) -> u32 {
        self.otp.saturating_add(self.bulk)
    }

    /// All messages to somebody new.
    pub const fn cold(&self) -> u32 {
        self.cold_otp.saturating_add(self.cold_bulk)
    }

    /// Counts one message.
    pub const fn count(&mut self, lane: Lane, cold: bool) {
        let (sent, new) = match lane {
            Lane::Otp => (&mut self.otp, &mut self.cold_otp),
            Lane::Bulk => (&mut self.bulk, &mut self.cold_bulk),
        };
        *sent = sent.saturating_add(1);
        if cold {
            *new = new.saturating_add(1);
        }
    }
}

/// A rest: nothing leaves the sender before it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Until when.
    pub until: Timestamp,
    /// Why: `SenderRestricted` or `RateLimited`.
    pub reason: FailReason,
}

/// All that a sender's limits have to remember. It is saved with every intent, so that a take-over goes on where the
/// old owner stopped: neither a new burst nor a new day's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SenderPace {
    /// Counts the changes, over all owners. Writes of one owner may be committed out of order; a store keeps the state
    /// with the highest count.
    pub turn: u64,
    /// The pacer's state.
    pub next: PaceState,
    /// What went out today.
    pub day: DayCount,
    /// The rest that WhatsApp demanded last.
    pub rest: Option<Rest>,
}

/// What an intent spends: saved with it, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The sender's state after it.
    pub pace: SenderPace,
    /// The recipient, if the session writes to it for the first time: known from then on.
    pub met: Option<PhoneNumber>,
    /// The recipient, if it gets a bulk message: a word to stop them counts from then on.
    pub bulk: Option<PhoneNumber>,
}

impl From<SenderPace> for Spent {
    fn from(pace: SenderPace) -> Self {
        Self { pace, met: None, bulk: None }
    }
}

/// Since when a session has had its number; the beginning of the number's warm-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstLink {
    /// The number.
    pub number: PhoneNumber,
    /// When the session was linked to it for the first time. A new scan of the same number does not change it.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_a_later_or_an_earlier_version_is_read() {
        let old: SenderPace = serde_json::from_str(r#"{"turn":3,"next":9}"#).unwrap();
        assert_eq!(old, SenderPace { turn: 3, next: PaceState(9), ..SenderPace::default() });
        let later: SenderPace =
            serde_json::from_str(r#"{"turn":4,"day":{"day":1,"otp":2,"media":7},"more":[]}"#).unwrap();
        assert_eq!(later.day, DayCount { day: 1, otp: 2, ..DayCount::default() });
    }
}
