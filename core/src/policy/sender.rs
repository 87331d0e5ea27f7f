//! The rules of all senders that go by the day, and what they make of one session's record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Budget, DayRule, PaceRule, WarmUp, Zone};
use crate::domain::{OwnLimits, PhoneNumber, SessionId, SessionRecord, Timestamp};

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
        Budget::new(self.day_of(&record.id, &record.limits), zone, Self::linked(record), record.pace.day)
    }

    /// Since when a session has its number; `None` before it is linked. A session of before first links were noted has had its
    /// number since it was made, as far as anybody knows.
    pub fn linked(record: &SessionRecord) -> Option<Timestamp> {
        record.status.account.as_ref()?;
        Some(record.status.first_link.as_ref().map_or(record.created_at, |first| first.at))
    }

    /// The rule of one session's days: its own where it has one, and without a warm-up for a number that is known to be warm.
    pub fn day_of(&self, session: &SessionId, own: &OwnLimits) -> DayRule {
        let warm = own.warmed_up.unwrap_or_else(|| self.warm.contains(session));
        DayRule {
            per_day: own.per_day.unwrap_or(self.day.per_day),
            cold_per_day: own.cold_per_day.unwrap_or(self.day.cold_per_day),
            otp_reserve: self.day.otp_reserve,
            warm_up: if warm { WarmUp::default() } else { self.day.warm_up.clone() },
        }
    }

    /// The calendar of a session with this number.
    pub fn zone(&self, session: &SessionId, number: &PhoneNumber) -> Zone {
        self.zones.get(session).copied().unwrap_or_else(|| Zone::of(number))
    }
}

impl PaceRule {
    /// The pace of one session: its own where it has one.
    #[must_use]
    pub fn with(self, own: &OwnLimits) -> Self {
        Self { every: own.every_ms.map_or(self.every, Duration::from_millis), burst: own.burst.unwrap_or(self.burst) }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_sessions_own_limits_come_before_those_of_all() {
        let session = SessionId::new("s1").unwrap();
        let day = DayRule { per_day: 100, cold_per_day: 20, otp_reserve: 10, warm_up: "3d:5 7d:9".parse().unwrap() };
        let mut rules = SenderRules { day: day.clone(), ..SenderRules::default() };
        let none = OwnLimits::default();
        assert_eq!(rules.day_of(&session, &none), day);
        let own = OwnLimits { per_day: Some(0), warmed_up: Some(true), ..none };
        let warm = DayRule { per_day: 0, warm_up: WarmUp::default(), ..day.clone() };
        assert_eq!(rules.day_of(&session, &own), warm);
        rules.warm.insert(session.clone());
        assert_eq!(rules.day_of(&session, &none), DayRule { warm_up: WarmUp::default(), ..day.clone() });
        let cold = OwnLimits { warmed_up: Some(false), cold_per_day: Some(1), ..none };
        assert_eq!(rules.day_of(&session, &cold), DayRule { cold_per_day: 1, ..day });

        let all = PaceRule { every: Duration::from_secs(3), burst: NonZeroU32::new(5).unwrap() };
        assert_eq!(all.with(&none), all);
        let slow = OwnLimits { every_ms: Some(9000), ..none };
        assert_eq!(all.with(&slow), PaceRule { every: Duration::from_secs(9), ..all });
    }
}
