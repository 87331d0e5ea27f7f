//! The workers, and who holds which session.

use std::collections::{BTreeMap, BTreeSet};

use kurir_core::domain::{SessionId, SessionRecord, TenantId, WorkerName};
use kurir_core::port::SessionFilter;

use super::{UseCaseError, UseCases};

/// Most sessions that are shown with their workers.
const MOST: u32 = 500;

/// A worker as the fleet knows it.
#[derive(Debug)]
pub struct WorkerStanding {
    /// Its name.
    pub name: WorkerName,
    /// How many processes of this name are alive; 0: none, though sessions name it or somebody wants it empty.
    pub alive: usize,
    /// How many sessions it is ready to hold.
    pub capacity: u32,
    /// How many it holds, of all tenants.
    pub held: u32,
    /// It is stopping.
    pub leaving: bool,
    /// It is to be empty.
    pub drained: bool,
    /// How many sessions are wanted with it, of all tenants.
    pub pinned: usize,
    /// The tenant's sessions with it.
    pub sessions: Vec<Seat>,
}

/// A session at its worker.
#[derive(Debug)]
pub struct Seat {
    /// The session.
    pub session: SessionRecord,
    /// The worker that it is wanted with.
    pub wanted_with: Option<WorkerName>,
}

/// The fleet as one tenant sees it.
#[derive(Debug)]
pub struct FleetView {
    /// The workers in the order of their names.
    pub workers: Vec<WorkerStanding>,
    /// Whether the workers could be asked; if not, only those are here that sessions name.
    pub known: bool,
    /// The tenant's sessions that no worker has had yet.
    pub unowned: Vec<Seat>,
    /// There are more sessions than are here.
    pub more: bool,
}

impl UseCases {
    /// The workers with the tenant's sessions. Without `all`, only the names of the workers that sessions of the tenant's are
    /// with: how many others there are, and how much they hold, is the operator's business.
    pub async fn fleet(&self, tenant: &TenantId, all: bool) -> Result<FleetView, UseCaseError> {
        let filter = SessionFilter { tenant: Some(tenant.clone()), ..SessionFilter::default() };
        let mut sessions = self.ports.sessions.find(&filter, None, MOST.saturating_add(1)).await?;
        let more = super::page::cut(&mut sessions, MOST, |_| ()).is_some();
        let mut workers: BTreeMap<WorkerName, WorkerStanding> = BTreeMap::new();
        let (mut known, mut pins) = (true, BTreeMap::new());
        if all {
            match self.register(&mut workers).await {
                Ok(found) => pins = found,
                Err(error) => {
                    tracing::warn!(error = error.chain(), "the workers can't be told");
                    known = false;
                }
            }
        }
        let mut unowned = Vec::new();
        for session in sessions {
            let owner = session.owner.clone();
            let seat = Seat { wanted_with: pins.get(&session.id).cloned(), session };
            match owner {
                Some(owner) => {
                    workers.entry(owner.clone()).or_insert_with(|| nobody(owner)).sessions.push(seat);
                }
                None => unowned.push(seat),
            }
        }
        Ok(FleetView { workers: workers.into_values().collect(), known, unowned, more })
    }

    /// Enters the living and those that are to be empty; tells where which session is wanted.
    async fn register(
        &self,
        workers: &mut BTreeMap<WorkerName, WorkerStanding>,
    ) -> Result<BTreeMap<SessionId, WorkerName>, kurir_core::port::PortError> {
        let (beats, drained) = (self.ports.members.members().await?, self.ports.wishes.drained().await?);
        let pins = self.ports.wishes.pins().await?;
        for beat in beats {
            let name = beat.worker.clone();
            let worker = workers.entry(name.clone()).or_insert_with(|| nobody(name));
            worker.leaving = beat.leaving && (worker.alive == 0 || worker.leaving);
            worker.alive += 1;
            worker.capacity = worker.capacity.saturating_add(beat.capacity);
            worker.held = worker.held.saturating_add(beat.held);
        }
        for name in drained {
            workers.entry(name.clone()).or_insert_with(|| nobody(name)).drained = true;
        }
        for name in pins.values() {
            if let Some(worker) = workers.get_mut(name) {
                worker.pinned += 1;
            }
        }
        Ok(pins)
    }

    /// Wants a worker empty, or lets it take sessions again. Only one that is alive can be emptied.
    pub async fn drain_worker(&self, worker: &str, drained: bool) -> Result<(), UseCaseError> {
        const NONE: UseCaseError = UseCaseError::NotFound { what: "worker", field: None };
        let worker = WorkerName::new(worker).map_err(|_| NONE)?;
        let known: BTreeSet<WorkerName> = if drained {
            self.ports.members.members().await?.into_iter().map(|beat| beat.worker).collect()
        } else {
            self.ports.wishes.drained().await?
        };
        if !known.contains(&worker) {
            return Err(NONE);
        }
        self.ports.wishes.drain(&worker, drained).await?;
        tracing::info!(%worker, drained, "a worker is to be empty, or not any more");
        self.nudge().await;
        Ok(())
    }
}

const fn nobody(name: WorkerName) -> WorkerStanding {
    WorkerStanding {
        name,
        alive: 0,
        capacity: 0,
        held: 0,
        leaving: false,
        drained: false,
        pinned: 0,
        sessions: Vec::new(),
    }
}
