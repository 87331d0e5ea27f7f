//! The descriptions of sessions and pools in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{OwnLimits, PoolId, SessionId, SessionNote, SessionRecord, TenantId, Wanted};
use crate::port::{Described, Description, PoolRecord, PoolRemoved, PortError, SessionDesk, SessionFilter};

fn fits(filter: &SessionFilter, record: &SessionRecord) -> bool {
    filter.tenant.as_ref().is_none_or(|tenant| record.tenant == *tenant)
        && filter.state.is_none_or(|state| record.status.state == state)
        && filter.pool.as_ref().is_none_or(|pool| record.pool.as_ref() == Some(pool))
        && filter.name.as_ref().is_none_or(|name| record.name.as_ref() == Some(name))
        && record.labels.have(&filter.labels)
}

fn at_most(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl SessionDesk for MemoryStores {
    async fn find(
        &self,
        filter: &SessionFilter,
        after: Option<&SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, PortError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.tables();
        let page = tables
            .sessions
            .range::<SessionId, _>((start, Bound::Unbounded))
            .map(|(_, record)| record)
            .filter(|record| fits(filter, record))
            .take(at_most(limit));
        Ok(page.cloned().collect())
    }

    async fn describe(&self, id: &SessionId, change: &Description) -> Result<Described, PortError> {
        let mut tables = self.tables();
        let Some(record) = tables.sessions.get_mut(id) else { return Ok(Described::Gone) };
        let Ok(labels) = record.labels.changed(&change.labels) else { return Ok(Described::TooManyLabels) };
        record.labels = labels;
        if let Some(name) = &change.name {
            record.name.clone_from(name);
        }
        Ok(Described::Done)
    }

    async fn note(&self, id: &SessionId, note: &SessionNote) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let there = tables.sessions.contains_key(id);
        if there {
            tables.notes.insert(id.clone(), note.clone());
        }
        Ok(there)
    }

    async fn notes(&self, ids: &[SessionId]) -> Result<BTreeMap<SessionId, SessionNote>, PortError> {
        let tables = self.tables();
        let note = |id: &SessionId| Some((id.clone(), tables.notes.get(id)?.clone()));
        Ok(ids.iter().filter_map(note).collect())
    }

    async fn limit(&self, id: &SessionId, limits: &OwnLimits) -> Result<bool, PortError> {
        Ok(self.tables().sessions.get_mut(id).map(|record| record.limits = *limits).is_some())
    }

    async fn restart(&self, id: &SessionId) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let record = tables.sessions.get_mut(id).filter(|record| record.wanted != Wanted::Deleted);
        Ok(record
            .map(|record| {
                record.wanted = Wanted::Running;
                record.restarts += 1;
            })
            .is_some())
    }

    async fn default_of(&self, tenant: &TenantId) -> Result<Option<SessionId>, PortError> {
        Ok(self.tables().defaults.get(tenant).cloned())
    }

    async fn make_default(&self, tenant: &TenantId, session: Option<&SessionId>) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let Some(session) = session else {
            tables.defaults.remove(tenant);
            return Ok(true);
        };
        let own = tables.sessions.get(session).is_some_and(|record| record.tenant == *tenant);
        if own {
            tables.defaults.insert(tenant.clone(), session.clone());
        }
        Ok(own)
    }

    async fn pools(&self, tenant: &TenantId, after: Option<&PoolId>, limit: u32) -> Result<Vec<PoolRecord>, PortError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.tables();
        let sessions_of = |pool| tables.sessions.values().filter(|record| record.pool.as_ref() == Some(pool)).count();
        let page = tables
            .pools
            .range::<PoolId, _>((start, Bound::Unbounded))
            .filter(|(_, owner)| *owner == tenant)
            .take(at_most(limit))
            .map(|(id, _)| PoolRecord { id: id.clone(), sessions: sessions_of(id) as u64 });
        Ok(page.collect())
    }

    async fn pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<Option<PoolRecord>, PortError> {
        let tables = self.tables();
        let own = tables.pools.get(pool).filter(|owner| *owner == tenant);
        let sessions = tables.sessions.values().filter(|record| record.pool.as_ref() == Some(pool)).count();
        Ok(own.map(|_| PoolRecord { id: pool.clone(), sessions: sessions as u64 }))
    }

    async fn remove_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<PoolRemoved, PortError> {
        let mut tables = self.tables();
        if tables.pools.get(pool) != Some(tenant) {
            return Ok(PoolRemoved::Gone);
        }
        if tables.sessions.values().any(|record| record.pool.as_ref() == Some(pool)) {
            return Ok(PoolRemoved::InUse);
        }
        tables.pools.remove(pool);
        Ok(PoolRemoved::Done)
    }
}
