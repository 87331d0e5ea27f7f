//! The fleet's members, as their heartbeats tell.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::domain::WorkerName;

/// A worker's sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Its name.
    pub worker: WorkerName,
    /// Tells apart two processes of the same name; random per process.
    pub instance: u128,
    /// How many sessions it is ready to hold.
    pub capacity: u32,
    /// How many it holds.
    pub held: u32,
    /// It is stopping: it keeps what it has until handed over and takes nothing new.
    pub leaving: bool,
}

/// The register of living workers.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Enters or renews a worker; it is forgotten after `ttl` without another beat.
    async fn beat(&self, beat: &Beat, ttl: Duration) -> Result<(), PortError>;

    /// Removes a worker at once.
    async fn leave(&self, worker: &WorkerName, instance: u128) -> Result<(), PortError>;

    /// Who is alive, ordered by name and instance.
    async fn members(&self) -> Result<Vec<Beat>, PortError>;
}
