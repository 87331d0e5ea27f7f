//! The register of sessions in memory.

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{
    Epoch, Fence, OutboxEvent, OwnLimits, PoolId, SenderPace, SessionId, SessionRecord, SessionStatus, TenantId,
    Wanted, WorkerName,
};
use crate::port::{Created, NewSession, PortError, SessionStore, Written};

#[async_trait]
impl SessionStore for MemoryStores {
    async fn create(&self, session: NewSession) -> Result<Created, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        if let Some(record) = tables.sessions.get(&session.id) {
            return Ok(Created::Exists(record.clone()));
        }
        tables.known(session.pool.as_ref(), "creating a session")?;
        let record = SessionRecord {
            id: session.id.clone(),
            tenant: session.tenant.clone(),
            pool: session.pool,
            name: session.name,
            labels: session.labels,
            wanted: session.wanted,
            restarts: 0,
            epoch: Epoch::default(),
            owner: None,
            limits: OwnLimits::default(),
            pace: SenderPace::default(),
            status: SessionStatus::created(session.at),
            created_at: session.at,
        };
        if session.default {
            tables.defaults.insert(session.tenant, session.id.clone());
        }
        tables.sessions.insert(session.id, record.clone());
        tables.outbox.add(&session.events, now);
        Ok(Created::New(record))
    }

    async fn get(&self, id: &SessionId) -> Result<Option<SessionRecord>, PortError> {
        Ok(self.tables().sessions.get(id).cloned())
    }

    async fn claim(&self, id: &SessionId, owner: &WorkerName) -> Result<Option<SessionRecord>, PortError> {
        let mut tables = self.tables();
        let retired = tables.retired.get(id).map_or(0, |epoch| epoch.0);
        Ok(tables.sessions.get_mut(id).map(|record| {
            record.epoch.0 = record.epoch.0.max(retired) + 1;
            record.owner = Some(owner.clone());
            record.clone()
        }))
    }

    async fn update(
        &self,
        fence: &Fence,
        status: &SessionStatus,
        events: &[OutboxEvent],
    ) -> Result<Written, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        let Some(record) = tables.owned(fence) else { return Ok(Written::Fenced) };
        record.status = status.clone();
        tables.outbox.add(events, now);
        Ok(Written::Done)
    }

    async fn want(&self, id: &SessionId, wanted: Wanted) -> Result<bool, PortError> {
        Ok(self.tables().sessions.get_mut(id).map(|record| record.wanted = wanted).is_some())
    }

    async fn own_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<bool, PortError> {
        Ok(self.tables().pools.entry(pool.clone()).or_insert_with(|| tenant.clone()) == tenant)
    }

    async fn pool_of(&self, pool: &PoolId) -> Result<Option<TenantId>, PortError> {
        Ok(self.tables().pools.get(pool).cloned())
    }

    async fn join(&self, id: &SessionId, pool: Option<&PoolId>) -> Result<bool, PortError> {
        let mut tables = self.tables();
        tables.known(pool, "joining a pool")?;
        Ok(tables.sessions.get_mut(id).map(|record| record.pool = pool.cloned()).is_some())
    }

    async fn rest(&self, fence: &Fence, done: Wanted) -> Result<Written, PortError> {
        let mut tables = self.tables();
        let Some(record) = tables.owned(fence) else { return Ok(Written::Fenced) };
        if record.wanted != done {
            return Ok(Written::Conflict);
        }
        record.wanted = Wanted::Stopped;
        Ok(Written::Done)
    }

    async fn let_go(&self, fence: &Fence) -> Result<(), PortError> {
        if let Some(record) = self.tables().owned(fence).filter(|record| record.wanted != Wanted::Running) {
            record.owner = None;
        }
        Ok(())
    }

    async fn delete(&self, fence: &Fence) -> Result<Written, PortError> {
        let mut tables = self.tables();
        let Some(record) = tables.sessions.get(&fence.session) else { return Ok(Written::Conflict) };
        if record.epoch != fence.epoch {
            return Ok(Written::Fenced);
        }
        if record.wanted != Wanted::Deleted {
            return Ok(Written::Conflict);
        }
        tables.sessions.remove(&fence.session);
        tables.defaults.retain(|_, session| *session != fence.session);
        tables.notes.remove(&fence.session);
        tables.retired.insert(fence.session.clone(), fence.epoch);
        tables.state.remove(&fence.session);
        tables.met.remove(&fence.session);
        tables.bulk.remove(&fence.session);
        Ok(Written::Done)
    }

    async fn epoch(&self, id: &SessionId) -> Result<Option<Epoch>, PortError> {
        Ok(self.tables().sessions.get(id).map(|record| record.epoch))
    }
}
