//! The rules of all senders that go by the day, and what they make of one session's record.

use std::collections::{BTreeMap, BTreeSet};

use super::{Budget, DayRule, Zone};
use crate::domain::{PhoneNumber, SessionId, SessionRecord, Timestamp};

/// The limits of senders that go by the day.
#[derive(Clone, Debug, Default)]
pub struct SenderRules {
    /// The rule of all senders.
    pub day: DayRule,
    /// Time zones of sessions whose number does not tell the right one.
    pub zones: BTreeMap<SessionId, Zone>,
    /// Sessions whose numbers need no warm-up.
    pub warm: BTreeSet<SessionId>,
}

impl SenderRules {
    /// The day of a session as its owner saved it last.
    pub fn budget(&self, record: &SessionRecord) -> Budget {
        let account = record.status.account.as_ref();
        let zone = account.map_or(Zone::UTC, |account| self.zone(&record.id, &account.number));
        let began = Self::linked(record).map(|linked| self.began(&record.id, linked));
        Budget::new(self.day.clone(), zone, began, record.pace.day)
    }

    /// Since when a session has its number; `None` before it is linked. A session of before first links were noted has had its
    /// number since it was made, as far as anybody knows.
    pub fn linked(record: &SessionRecord) -> Option<Timestamp> {
        record.status.account.as_ref()?;
        Some(record.status.first_link.as_ref().map_or(record.created_at, |first| first.at))
    }

    /// When the warm-up of a session's number began that was first linked at this moment: long ago for one that is known to be
    /// warm.
    pub fn began(&self, session: &SessionId, linked: Timestamp) -> Timestamp {
        if self.warm.contains(session) { Timestamp::from_millis(0) } else { linked }
    }

    /// The calendar of a session with this number.
    pub fn zone(&self, session: &SessionId, number: &PhoneNumber) -> Zone {
        self.zones.get(session).copied().unwrap_or_else(|| Zone::of(number))
    }
}
