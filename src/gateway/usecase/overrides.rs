//! What the configuration says of single sessions' limits.

use kurir_core::domain::SessionId;
use kurir_core::policy::Zone;

use super::UseCases;

/// What differs for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrides {
    /// Its days are in this time zone, whatever its number says.
    pub zone: Option<Zone>,
    /// Its number needs no warm-up.
    pub warm: bool,
}

impl UseCases {
    /// What differs for a session.
    pub fn overrides(&self, session: &SessionId) -> Overrides {
        Overrides { zone: self.senders.zones.get(session).copied(), warm: self.senders.warm.contains(session) }
    }
}
