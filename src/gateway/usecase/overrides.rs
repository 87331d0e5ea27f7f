//! What is said of single sessions' limits.

use kurir_core::domain::{OwnLimits, SessionRecord};
use kurir_core::policy::{DayRule, PaceRule, Zone};

use super::UseCases;

/// What differs for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrides {
    /// Its days are in this time zone, whatever its number says.
    pub zone: Option<Zone>,
    /// Its number needs no warm-up, say the settings.
    pub warm: bool,
    /// What was said of it alone; it comes before the settings.
    pub own: OwnLimits,
}

impl UseCases {
    /// The pace and the day of all sessions.
    pub fn limits_of_all(&self) -> (PaceRule, &DayRule) {
        (self.pace, &self.senders.day)
    }

    /// What differs for a session.
    pub fn overrides(&self, record: &SessionRecord) -> Overrides {
        let session = &record.id;
        Overrides {
            zone: self.senders.zones.get(session).copied(),
            warm: self.senders.warm.contains(session),
            own: record.limits,
        }
    }
}
