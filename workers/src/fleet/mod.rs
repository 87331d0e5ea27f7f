//! A worker's part in the fleet: it beats, takes the sessions that are its own to hold, and hands over those that are
//! not.

mod look;
mod takes;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use kurir_core::domain::{EventKind, OwnLimits, PoolId, SessionId, Sight, Wanted};
use kurir_core::policy::Backoff;
use kurir_core::port::Beat;
use kurir_core::wire::FleetDataV1;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::session::{Ended, Orders, Shared, Told, own};
use crate::worker::StopReport;

use look::Quarantine;
use takes::Takes;

/// How many regular looks a member may miss before it counts as gone.
const MISSED_BEATS: u32 = 5;

/// Pauses before a session that failed is tried again.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), max: Duration::from_secs(30) };

/// The longest pause before a session that was lost is tried again.
const LONGEST_TRUCE: Duration = Duration::from_mins(15);

/// A session that this worker owns, or tries to.
struct Held {
    stop: CancellationToken,
    /// What it was taken for, if not to be served.
    errand: Option<Wanted>,
    /// How many restarts had been asked for when it was claimed.
    restarts: Arc<AtomicU64>,
    /// Tells its owner which pool it belongs to.
    pool: watch::Sender<Option<PoolId>>,
    /// Tells its owner which limits it has of its own; `None` before the first look.
    limits: watch::Sender<Option<OwnLimits>>,
}

/// What a worker knows of the fleet and holds of it.
pub(crate) struct Fleet {
    pub(crate) shared: Arc<Shared>,
    held: HashMap<SessionId, Held>,
    /// The pools of the sessions, as of the last look.
    pools: HashMap<SessionId, PoolId>,
    /// Those that are to be deleted or logged out, as of the last look.
    errands: HashMap<SessionId, Wanted>,
    tasks: JoinSet<(SessionId, Ended)>,
    takes: Takes,
    /// Processes whose sign of life has ended. Their heartbeats don't count any more.
    dead: HashSet<u64>,
    /// Processes that were seen alive, or were asked for once: the vigil tells when these die.
    known: HashSet<u64>,
    /// Members that showed no life when they were asked for, and when that was first, by the boot clock.
    doubted: HashMap<u64, Duration>,
    quarantine: Quarantine,
    /// How many sessions may still be handed to others before the next regular look.
    moves: usize,
}

/// The number by which the vigil knows a process.
pub(crate) fn process_of(instance: u128) -> u64 {
    // The upper half; both are equally random.
    u64::try_from(instance >> 64).unwrap_or_default()
}

impl Fleet {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            held: HashMap::new(),
            pools: HashMap::new(),
            errands: HashMap::new(),
            tasks: JoinSet::new(),
            takes: Takes::default(),
            dead: HashSet::new(),
            known: HashSet::new(),
            doubted: HashMap::new(),
            quarantine: Quarantine::default(),
            moves: 0,
        }
    }

    /// How many sessions it holds.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    fn beat(&self, leaving: bool) -> Beat {
        Beat {
            worker: self.shared.options.name.clone(),
            instance: self.shared.instance,
            capacity: self.shared.options.capacity.get(),
            held: u32::try_from(self.held.len()).unwrap_or(u32::MAX),
            leaving,
        }
    }

    /// How long a heartbeat counts.
    fn beat_ttl(&self) -> Duration {
        self.shared.options.scan_every * MISSED_BEATS
    }

    pub(crate) async fn tell(&self, kind: EventKind) {
        let Beat { worker, instance, capacity, held, .. } = self.beat(false);
        let now = self.shared.ports.clock.now();
        let event = FleetDataV1::event(kind, &self.shared.options.operator, (&worker, instance, capacity, held), now);
        let events = vec![event];
        match self.shared.ports.outbox.add(&events).await {
            Ok(()) => self.shared.publisher.publish_later(events),
            Err(error) => tracing::warn!(error = %error.chain(), %kind, "the fleet could not be told"),
        }
    }

    /// Takes note of what was seen; tells whether it is worth a look at once.
    pub(crate) fn see(&mut self, sight: Sight) -> bool {
        match sight {
            Sight::Appeared(process) => {
                self.known.insert(process);
                self.dead.remove(&process)
            }
            Sight::Died(process) if process == process_of(self.shared.instance) => {
                // Our sign of life was taken away, and is shown again by now or soon.
                tracing::warn!("the fleet may take this worker for dead");
                false
            }
            Sight::Died(process) => self.dead.insert(process),
            Sight::Look => true,
        }
    }

    /// Starts to own a session.
    fn take(&mut self, session: SessionId) {
        let stop = CancellationToken::new();
        let (pool, joined) = watch::channel(self.pools.get(&session).cloned());
        // Its owner begins with what it reads when it claims the session, and hears what the next look finds.
        let (limits, limited) = watch::channel(None);
        // Until it is claimed, no restart that was asked for is older than its connection.
        let restarts = Arc::new(AtomicU64::new(u64::MAX));
        let errand = self.errands.get(&session).copied();
        let told = Told { pool: joined, limits: limited };
        let orders = Orders { told, restarts: Arc::clone(&restarts), stop: stop.clone() };
        self.held.insert(session.clone(), Held { stop, errand, restarts, pool, limits });
        let span = tracing::info_span!("session", %session, worker = %self.shared.options.name, epoch = tracing::field::Empty, tenant = tracing::field::Empty);
        let owning = own(Arc::clone(&self.shared), session.clone(), orders);
        self.tasks.spawn(async move { (session, owning.await) }.instrument(span));
    }

    /// Takes the next session that waits for this worker.
    pub(crate) fn take_next(&mut self) {
        if let Some(session) = self.takes.next()
            && !self.held.contains_key(&session)
        {
            self.take(session);
        }
    }

    /// Whether sessions wait for this worker.
    pub(crate) fn takes_wait(&self) -> bool {
        !self.takes.is_empty()
    }

    /// Waits until one of the sessions has ended; for ever when none is held.
    pub(crate) async fn next_ended(&mut self) -> Result<(SessionId, Ended), JoinError> {
        match self.tasks.join_next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Takes note of how owning a session ended; tells whether another worker may want it now.
    pub(crate) fn ended(&mut self, ended: Result<(SessionId, Ended), JoinError>) -> bool {
        // Panics are caught where the session is known, and nobody aborts these tasks.
        let Ok((session, ended)) = ended else { return false };
        self.held.remove(&session);
        let pause = match &ended {
            Ended::Failed(error) => {
                tracing::warn!(%session, %error, "session failed; it is tried again");
                BACKOFF
            }
            // Whoever took it from us is to keep it: coming back at once would be a fight over the number.
            Ended::Replaced => Backoff { base: self.shared.options.lease_ttl, max: LONGEST_TRUCE },
            Ended::Taken => return false,
            _ => {
                tracing::info!(%session, ?ended, "session ended");
                return matches!(ended, Ended::Stopped { .. });
            }
        };
        let ports = &self.shared.ports;
        self.takes.failed(session, pause, ports.clock.now(), ports.entropy.fraction());
        false
    }

    /// Has the others look for sessions that wait.
    pub(crate) async fn nudge(&self) {
        if let Err(error) = self.shared.ports.vigil.nudge().await {
            tracing::debug!(error = %error.chain(), "the fleet could not be nudged; it looks by itself");
        }
    }

    /// Hands everything over and leaves the fleet.
    pub(crate) async fn stop(&mut self) -> StopReport {
        // The others may take over while we finish what is on the wire.
        if let Err(error) = self.shared.ports.members.beat(&self.beat(true), self.beat_ttl()).await {
            tracing::debug!(error = %error.chain(), "the fleet could not be told that this worker leaves");
        }
        let mut report = StopReport { sessions: self.held.len(), ..StopReport::default() };
        for held in self.held.values() {
            held.stop.cancel();
        }
        let mut nudges = tokio::time::interval(NUDGE_EVERY);
        nudges.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut freed = false;
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => match ended {
                    None => break,
                    Some(Ok((_, Ended::Stopped { abandoned }))) => {
                        report.abandoned += abandoned;
                        freed = true;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => tracing::error!(%error, "a session's task broke while stopping"),
                },
                _ = nudges.tick(), if freed => {
                    self.nudge().await;
                    freed = false;
                }
            }
        }
        self.held.clear();
        self.tell(EventKind::WorkerLeft).await;
        if let Err(error) = self.shared.ports.members.leave(&self.shared.options.name, self.shared.instance).await {
            tracing::debug!(error = %error.chain(), "the heartbeat could not be taken back; it runs out by itself");
        }
        self.nudge().await;
        report.refused = self.shared.ports.refused.count();
        report
    }
}

/// A worker that stops tells the others this often that sessions have become free.
const NUDGE_EVERY: Duration = Duration::from_millis(50);
