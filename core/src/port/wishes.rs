//! What operators want of the placement. It may be forgotten: then sessions go where the workers' own reckoning puts
//! them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::PortError;
use crate::domain::{SessionId, WorkerName};

/// The operators' wishes.
#[async_trait]
pub trait Wishes: Send + Sync {
    /// Wants a session with a worker of this name, or with any again.
    async fn pin(&self, session: &SessionId, worker: Option<&WorkerName>) -> Result<(), PortError>;

    /// The sessions that are wanted with a worker.
    async fn pins(&self) -> Result<BTreeMap<SessionId, WorkerName>, PortError>;

    /// Wants workers of this name to hand over all they have and to take nothing, or not any more.
    async fn drain(&self, worker: &WorkerName, drained: bool) -> Result<(), PortError>;

    /// The names of the workers that are to be empty.
    async fn drained(&self) -> Result<BTreeSet<WorkerName>, PortError>;
}
