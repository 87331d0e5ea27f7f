//! What callers say of their sessions beside what they want of them: names, labels, notes, which one is the default, and pools.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::PortError;
use crate::domain::{
    LabelChange, Labels, OwnLimits, PoolId, SessionId, SessionName, SessionNote, SessionRecord, SessionState, TenantId,
};

/// Which sessions are looked for. What is empty lets all through.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Whose.
    pub tenant: Option<TenantId>,
    /// In which state, as their owners wrote last.
    pub state: Option<SessionState>,
    /// Of which pool.
    pub pool: Option<PoolId>,
    /// Of exactly this name.
    pub name: Option<SessionName>,
    /// With all of these labels.
    pub labels: Labels,
}

/// What is to be changed of a session's description.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Its name: another one, none (`Some(None)`), or as it is.
    pub name: Option<Option<SessionName>>,
    /// Its labels.
    pub labels: LabelChange,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described {
    /// It was made.
    Done,
    /// The session would have more labels than it may; nothing was changed.
    TooManyLabels,
    /// There is no such session.
    Gone,
}

/// A pool as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRecord {
    /// Its name.
    pub id: PoolId,
    /// How many sessions belong to it.
    pub sessions: u64,
}

/// What became of a pool to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolRemoved {
    /// Nobody has a pool of this name now.
    Done,
    /// Sessions belong to it; nothing was changed.
    InUse,
    /// The tenant has no such pool.
    Gone,
}

/// The descriptions of sessions and pools.
#[async_trait]
pub trait SessionDesk: Send + Sync {
    /// Sessions ordered by id, after `after`, at most `limit`.
    async fn find(
        &self,
        filter: &SessionFilter,
        after: Option<&SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, PortError>;

    /// Changes a session's name and labels, all of it or nothing.
    async fn describe(&self, id: &SessionId, change: &Description) -> Result<Described, PortError>;

    /// Notes something of a session, in the place of what was noted before. It goes with the session. `false`: there is no
    /// such session.
    async fn note(&self, id: &SessionId, note: &SessionNote) -> Result<bool, PortError>;

    /// What was noted of these sessions, of those of which something was.
    async fn notes(&self, ids: &[SessionId]) -> Result<BTreeMap<SessionId, SessionNote>, PortError>;

    /// Gives a session these limits of its own, in the place of those that it had; its owner hears of it. `false`: there is no
    /// such session.
    async fn limit(&self, id: &SessionId, limits: &OwnLimits) -> Result<bool, PortError>;

    /// Asks for a new connection: the session is wanted running, and its restarts count one more, which its owner hears
    /// and lets go of it. `false`: there is no such session, or it is being deleted.
    async fn restart(&self, id: &SessionId) -> Result<bool, PortError>;

    /// The tenant's default session. It goes with the session.
    async fn default_of(&self, tenant: &TenantId) -> Result<Option<SessionId>, PortError>;

    /// Makes a session of the tenant its default, or leaves the tenant without one. `false`: the tenant has no such session.
    async fn make_default(&self, tenant: &TenantId, session: Option<&SessionId>) -> Result<bool, PortError>;

    /// The tenant's pools ordered by name, after `after`, at most `limit`.
    async fn pools(&self, tenant: &TenantId, after: Option<&PoolId>, limit: u32) -> Result<Vec<PoolRecord>, PortError>;

    /// One of the tenant's pools.
    async fn pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<Option<PoolRecord>, PortError>;

    /// Gives a pool's name back, if no session belongs to it.
    async fn remove_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<PoolRemoved, PortError>;
}
