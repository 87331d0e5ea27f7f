//! Pools: which there are, how much waits in them, and their end.

use kurir_core::domain::{Lane, PoolId, TenantId};
use kurir_core::port::{PoolRecord, PoolRemoved};

use super::page::cut;
use super::{UseCaseError, UseCases};

/// One page of pools.
#[derive(Debug)]
pub struct PoolPage {
    /// Ordered by name.
    pub pools: Vec<PoolRecord>,
    /// Where the next page begins, if there is one: the name to pass as `after`.
    pub next: Option<PoolId>,
}

/// A pool and what waits in it.
#[derive(Debug)]
pub struct PoolStanding {
    /// The pool.
    pub record: PoolRecord,
    /// How many one-time passwords wait, about.
    pub otp: u64,
    /// How many bulk jobs wait, about.
    pub bulk: u64,
}

impl UseCases {
    /// The tenant's pools after `after`, at most `limit`.
    pub async fn pools(&self, tenant: &TenantId, after: Option<&PoolId>, limit: u32) -> Result<PoolPage, UseCaseError> {
        let mut pools = self.ports.sessions.pools(tenant, after, limit.saturating_add(1)).await?;
        let next = cut(&mut pools, limit, |pool| pool.id.clone());
        Ok(PoolPage { pools, next })
    }

    /// One pool.
    pub async fn pool(&self, tenant: &TenantId, id: &PoolId) -> Result<PoolStanding, UseCaseError> {
        let record = self.own_pool(tenant, id).await?;
        let (otp, bulk) = (self.waiting(id, Lane::Otp).await?, self.waiting(id, Lane::Bulk).await?);
        Ok(PoolStanding { record, otp, bulk })
    }

    /// Removes a pool that no session belongs to and in which nothing waits.
    ///
    /// First its name, then its queues: nobody's session reads them any more, and the next tenant to use the name finds them
    /// empty even if they could not be removed.
    pub async fn delete_pool(&self, tenant: &TenantId, id: &PoolId) -> Result<(), UseCaseError> {
        let record = self.own_pool(tenant, id).await?;
        if record.sessions > 0 {
            return Err(UseCaseError::PoolInUse);
        }
        for lane in Lane::ALL {
            if self.waiting(id, lane).await? > 0 {
                return Err(UseCaseError::PoolHasJobs);
            }
        }
        match self.ports.sessions.remove_pool(id, tenant).await? {
            PoolRemoved::Done => {}
            PoolRemoved::InUse => return Err(UseCaseError::PoolInUse),
            PoolRemoved::Gone => return Err(no_such_pool()),
        }
        if let Err(error) = self.ports.pools.remove_pool(id).await {
            tracing::warn!(pool = %id, error = error.chain(), "the empty queues of a deleted pool could not be removed");
        }
        tracing::info!(pool = %id, %tenant, "pool deleted");
        Ok(())
    }

    async fn own_pool(&self, tenant: &TenantId, id: &PoolId) -> Result<PoolRecord, UseCaseError> {
        self.ports.sessions.pool(id, tenant).await?.ok_or_else(no_such_pool)
    }

    /// How many jobs wait; none where there is no queue.
    async fn waiting(&self, id: &PoolId, lane: Lane) -> Result<u64, UseCaseError> {
        match self.ports.pools.pool_depth(id, lane).await {
            Ok(waiting) => Ok(waiting),
            // A queue that is not there is made by the first message for it.
            Err(error) if !error.is_transient() => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

fn no_such_pool() -> UseCaseError {
    UseCaseError::NotFound { what: "pool", field: None }
}
