//! Queues of pools: several sessions take jobs out of one.

use async_trait::async_trait;

use super::{JobStream, PortError};
use crate::domain::{Lane, PoolId};

/// What a session takes of a pool's jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Most jobs unsettled at a time.
    pub window: u16,
    /// Who has the highest priority and room in its window gets the next job; those who are equal get them in turn.
    pub priority: u8,
}

/// The queues of pools, beside those of sessions ([`super::JobQueue`], which also publishes into these).
#[async_trait]
pub trait PoolQueue: Send + Sync {
    /// Makes sure that a pool's queues exist; doing it again changes nothing.
    async fn declare_pool(&self, pool: &PoolId) -> Result<(), PortError>;

    /// Removes a pool's queues and what stands in them. What was parked becomes dead letters, where the queue keeps such, at the latest
    /// when it would have come back.
    async fn remove_pool(&self, pool: &PoolId) -> Result<(), PortError>;

    /// Takes jobs of one lane, beside others who do the same.
    async fn subscribe_pool(&self, pool: &PoolId, lane: Lane, share: Share) -> Result<Box<dyn JobStream>, PortError>;

    /// How many jobs wait in a lane, about.
    async fn pool_depth(&self, pool: &PoolId, lane: Lane) -> Result<u64, PortError>;
}
