//! Sessions as a whole: taken out of a store as a copy, planted into one, and called by another id.

use async_trait::async_trait;
use bytes::Bytes;

use super::{PortError, Written};
use crate::domain::{
    Fence, Labels, OutboxEvent, OwnLimits, PhoneNumber, PoolId, SenderPace, SessionId, SessionName, SessionRecord,
    SessionStatus, TenantId, Timestamp, Wanted,
};

/// A value of Signal state with its place, whatever area it is of.
#[derive(Clone, PartialEq, Eq)]
pub struct StateValue {
    /// The area.
    pub area: String,
    /// The key in it.
    pub key: String,
    /// The value, as its writer wrote it.
    pub value: Bytes,
    /// After this moment it may be removed.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for StateValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A key may name somebody, and the value is secret.
        write!(f, "StateValue({}, {} bytes)", self.area, self.value.len())
    }
}

/// A session as it was at one moment.
#[derive(Clone, Debug)]
pub struct SessionCopy {
    /// Its record.
    pub record: SessionRecord,
    /// Whether it is its tenant's default.
    pub default: bool,
    /// All of its Signal state, ordered by area and key.
    pub state: Vec<StateValue>,
}

/// What a session knows of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acquaintance {
    /// It has written to it.
    pub met: bool,
    /// It has written bulk messages to it, so a word to stop them counts.
    pub bulk: bool,
}

/// Numbers that a session has written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acquaintances {
    /// All of them.
    pub met: Vec<PhoneNumber>,
    /// Those that got bulk messages.
    pub bulk: Vec<PhoneNumber>,
}

/// A session to enter with all that belongs to it.
#[derive(Clone, Debug)]
pub struct SessionEntry {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The pool it belongs to; it must have been entered as the tenant's.
    pub pool: Option<PoolId>,
    /// What people call it.
    pub name: Option<SessionName>,
    /// What it is found by.
    pub labels: Labels,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// Whether it becomes the tenant's default.
    pub default: bool,
    /// Its own limits.
    pub limits: OwnLimits,
    /// What its limits have to remember.
    pub pace: SenderPace,
    /// Where it stands.
    pub status: SessionStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its Signal state.
    pub state: Vec<StateValue>,
    /// Whom it has written to.
    pub known: Acquaintances,
    /// The events that tell of it.
    pub events: Vec<OutboxEvent>,
}

/// What became of a session to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// It is there, with all that belongs to it.
    Done,
    /// There is one of this id; nothing was changed.
    Exists,
    /// The one that was to be replaced has another owner by now, or is wanted otherwise; nothing was changed.
    Fenced,
}

/// Sessions as a whole. Each call happens in one transaction: all of it or nothing.
#[async_trait]
pub trait SessionVault: Send + Sync {
    /// The session as it is at one moment, between two writes of its owner.
    async fn copy(&self, id: &SessionId) -> Result<Option<SessionCopy>, PortError>;

    /// What the session knows of these numbers, in order.
    async fn acquainted(&self, id: &SessionId, numbers: &[PhoneNumber]) -> Result<Vec<Acquaintance>, PortError>;

    /// Enters a session. With `replaces`, in the place of the one of this id, which must be stopped and of this epoch;
    /// its Signal state goes, its messages stay.
    async fn plant(&self, entry: &SessionEntry, replaces: Option<&Fence>) -> Result<Planted, PortError>;

    /// Removes a stopped session without a word to WhatsApp: its device stays linked, for whoever has the copy. Its messages
    /// stay; files that came in for it go when their time is over. `Conflict`: it is not there, or not stopped.
    async fn take_out(&self, fence: &Fence) -> Result<Written, PortError>;

    /// Enters `entry` in the place of the fence's session, which must be stopped: what names the old id names the new one
    /// afterwards (messages, files, the default, webhooks, lists of sessions of API keys). `entry.id` must be another id.
    /// Events and ended verifications keep the name that they were told under.
    async fn change_id(&self, fence: &Fence, entry: &SessionEntry) -> Result<Planted, PortError>;
}
