//! The register of workers within one process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::lock;
use crate::domain::WorkerName;
use crate::port::{Beat, Clock, Membership, PortError};

/// A beat, and the boot time from which its worker is forgotten.
type Entry = (Beat, Duration);

/// The workers of one process.
pub struct MemoryMembership {
    clock: Arc<dyn Clock>,
    beats: Mutex<BTreeMap<(WorkerName, u128), Entry>>,
}

impl MemoryMembership {
    /// An empty fleet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, beats: Mutex::default() }
    }
}

#[async_trait]
impl Membership for MemoryMembership {
    async fn beat(&self, beat: &Beat, ttl: Duration) -> Result<(), PortError> {
        let now = self.clock.boot();
        let mut beats = lock(&self.beats);
        // A fleet is small, so each beat can afford to look at all.
        beats.retain(|_, (_, until)| now < *until);
        beats.insert((beat.worker.clone(), beat.instance), (beat.clone(), now.saturating_add(ttl)));
        Ok(())
    }

    async fn leave(&self, worker: &WorkerName, instance: u128) -> Result<(), PortError> {
        lock(&self.beats).remove(&(worker.clone(), instance));
        Ok(())
    }

    async fn members(&self) -> Result<Vec<Beat>, PortError> {
        let now = self.clock.boot();
        let beats = lock(&self.beats);
        Ok(beats.values().filter(|(_, until)| now < *until).map(|(beat, _)| beat.clone()).collect())
    }
}
