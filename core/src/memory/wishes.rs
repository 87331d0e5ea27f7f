//! The operators' wishes within one process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;

use super::lock;
use crate::domain::{SessionId, WorkerName};
use crate::port::{PortError, Wishes};

/// Wishes that last as long as the process.
#[derive(Default)]
pub struct MemoryWishes {
    pins: Mutex<BTreeMap<SessionId, WorkerName>>,
    drained: Mutex<BTreeSet<WorkerName>>,
}

#[async_trait]
impl Wishes for MemoryWishes {
    async fn pin(&self, session: &SessionId, worker: Option<&WorkerName>) -> Result<(), PortError> {
        let mut pins = lock(&self.pins);
        match worker {
            Some(worker) => pins.insert(session.clone(), worker.clone()),
            None => pins.remove(session),
        };
        Ok(())
    }

    async fn pins(&self) -> Result<BTreeMap<SessionId, WorkerName>, PortError> {
        Ok(lock(&self.pins).clone())
    }

    async fn drain(&self, worker: &WorkerName, wanted: bool) -> Result<(), PortError> {
        let mut drained = lock(&self.drained);
        if wanted {
            drained.insert(worker.clone());
        } else {
            drained.remove(worker);
        }
        Ok(())
    }

    async fn drained(&self) -> Result<BTreeSet<WorkerName>, PortError> {
        Ok(lock(&self.drained).clone())
    }
}
