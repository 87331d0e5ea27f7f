//! The register of sessions, and the mint of epochs.

use async_trait::async_trait;

use super::{PortError, SessionDesk, SessionFilter, Written};
use crate::domain::{
    Epoch, Fence, Labels, OutboxEvent, PoolId, SessionId, SessionName, SessionRecord, SessionStatus, TenantId,
    Timestamp, Wanted, WorkerName,
};

/// A session to create.
#[derive(Clone, Debug)]
pub struct NewSession {
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
    /// When.
    pub at: Timestamp,
    /// The events that tell of it.
    pub events: Vec<OutboxEvent>,
}

impl NewSession {
    /// A session without a pool that is wanted running, of which nobody is told.
    pub fn new(id: SessionId, tenant: TenantId, at: Timestamp) -> Self {
        Self {
            id,
            tenant,
            pool: None,
            name: None,
            labels: Labels::default(),
            wanted: Wanted::Running,
            default: false,
            at,
            events: Vec::new(),
        }
    }
}

/// What became of a session to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New(SessionRecord),
    /// There is one of this id; nothing was changed.
    Exists(SessionRecord),
}

/// The sessions.
#[async_trait]
pub trait SessionStore: SessionDesk {
    /// Creates a session in state `Created`, epoch 0. An id that was used and deleted before may be
    /// used again: its first claim goes on from the old session's epoch, so that a late writer of that one is refused.
    async fn create(&self, session: NewSession) -> Result<Created, PortError>;

    /// One session.
    async fn get(&self, id: &SessionId) -> Result<Option<SessionRecord>, PortError>;

    /// Sessions ordered by id, after `after`, at most `limit`; of one tenant or of all.
    async fn list(
        &self,
        tenant: Option<&TenantId>,
        after: Option<&SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, PortError> {
        let filter = SessionFilter { tenant: tenant.cloned(), ..SessionFilter::default() };
        self.find(&filter, after, limit).await
    }

    /// Mints the next epoch of a session and enters its owner. From this moment on all writes under older epochs are
    /// refused. `None`: there is no such session.
    async fn claim(&self, id: &SessionId, owner: &WorkerName) -> Result<Option<SessionRecord>, PortError>;

    /// Writes the owner's part of the record, with the events that tell of it.
    async fn update(&self, fence: &Fence, status: &SessionStatus, events: &[OutboxEvent])
    -> Result<Written, PortError>;

    /// Says what the operator wants; tells whether there is such a session.
    async fn want(&self, id: &SessionId, wanted: Wanted) -> Result<bool, PortError>;

    /// Enters a pool as the tenant's if nobody has a pool of this name; tells whether it is theirs.
    async fn own_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<bool, PortError>;

    /// Whose the pool is; `None`: nobody's.
    async fn pool_of(&self, pool: &PoolId) -> Result<Option<TenantId>, PortError>;

    /// Puts a session into a pool that was entered before, or takes it out of its pool; tells whether there is such a
    /// session. Whose pool and session are is for the caller to look at.
    async fn join(&self, id: &SessionId, pool: Option<&PoolId>) -> Result<bool, PortError>;

    /// The owner has nothing to do until somebody asks anew (nobody scanned, logged out): what is wanted goes from what the
    /// owner has done, `Running` or `LoggedOut`, to `Stopped`. `Conflict`: something else is wanted by now, and stays so.
    async fn rest(&self, fence: &Fence, done: Wanted) -> Result<Written, PortError>;

    /// The owner has let go of the session, its connection closed and all written. If it is not wanted running, its record names
    /// no owner from now on: whoever waits for the end of a stop sees that by it. A no-op under an older epoch.
    async fn let_go(&self, fence: &Fence) -> Result<(), PortError>;

    /// Removes a session with its Signal state. `Conflict`: it is not there, or nobody wants it deleted.
    async fn delete(&self, fence: &Fence) -> Result<Written, PortError>;

    /// The epoch that a session has now, `None` when it is not there.
    async fn epoch(&self, id: &SessionId) -> Result<Option<Epoch>, PortError>;
}
