//! The worker: beats, looks through the sessions, takes those that are its own to hold, and hands over those that are not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{EventKind, SessionId, SessionRecord, SessionState, Timestamp, Wanted};
use kurir_core::policy::{Backoff, Candidate, place};
use kurir_core::port::{Beat, PortError};
use kurir_core::wire::FleetDataV1;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::group::Group;
use crate::lease::Keeper;
use crate::options::WorkerOptions;
use crate::ports::WorkerPorts;
use crate::publisher::Publisher;
use crate::session::{Ended, Shared, own};

/// Sessions read per page of a scan.
const PAGE: u32 = 500;

/// Most writes in one commit of the ledger.
const MOST_WRITES: usize = 256;

/// How many scans a member may miss before it counts as gone.
const MISSED_BEATS: u32 = 5;

/// Pauses before a session that failed is tried again.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), max: Duration::from_secs(30) };

/// The longest pause before a session that was lost is tried again.
const LONGEST_TRUCE: Duration = Duration::from_mins(15);

/// What a worker left behind when it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Sessions that were handed over.
    pub sessions: usize,
    /// Jobs that were cut off; they are delivered again to the next owner.
    pub abandoned: usize,
}

/// A running worker.
pub struct Worker {
    stop: CancellationToken,
    held: watch::Receiver<usize>,
    task: JoinHandle<StopReport>,
}

impl Worker {
    /// Starts it. It is ready once its first scan is done.
    pub fn start(options: WorkerOptions, ports: WorkerPorts) -> Self {
        let stop = CancellationToken::new();
        let (count, held) = watch::channel(0);
        let task = tokio::spawn(run(options, ports, stop.clone(), count));
        Self { stop, held, task }
    }

    /// How many sessions it holds, followed live.
    pub fn held(&self) -> watch::Receiver<usize> {
        self.held.clone()
    }

    /// Returns when the worker has ended by itself, which only a defect brings about.
    pub async fn ended(&self) {
        let mut held = self.held.clone();
        while held.changed().await.is_ok() {}
    }

    /// Stops it: no new jobs, what is on the wire is finished within the worker's stop deadline, sessions are handed
    /// over, then it leaves the fleet.
    pub async fn stop(self) -> StopReport {
        self.stop.cancel();
        self.task.await.unwrap_or_default()
    }
}

struct Fleet {
    shared: Arc<Shared>,
    instance: u128,
    held: HashMap<SessionId, CancellationToken>,
    tasks: JoinSet<(SessionId, Ended)>,
    /// Sessions that failed: how often in a row, and when they may be tried again.
    failed: HashMap<SessionId, (u32, Timestamp)>,
}

async fn run(
    options: WorkerOptions,
    ports: WorkerPorts,
    stop: CancellationToken,
    count: watch::Sender<usize>,
) -> StopReport {
    // Ends the parts that the sessions need until their very end.
    let parts = CancellationToken::new();
    let _end_parts = parts.clone().drop_guard();
    let shared = Arc::new(share(options, ports, &parts));
    let keeper = tokio::spawn({
        let (shared, parts) = (Arc::clone(&shared), parts.clone());
        async move { shared.keeper.run(parts).await }
    });
    let mut fleet = Fleet {
        instance: shared.ports.entropy.nonce(),
        shared,
        held: HashMap::new(),
        tasks: JoinSet::new(),
        failed: HashMap::new(),
    };
    fleet.tell(EventKind::WorkerJoined).await;
    let mut timer = tokio::time::interval(fleet.shared.options.scan_every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = fleet.tasks.join_next(), if !fleet.tasks.is_empty() => fleet.ended(ended),
            _ = timer.tick() => {
                if let Err(error) = fleet.scan().await {
                    tracing::warn!(error = %error.chain(), "the sessions could not be looked through; the next scan goes on");
                }
            }
        }
        count.send_replace(fleet.held.len());
    }
    let report = fleet.stop().await;
    count.send_replace(0);
    parts.cancel();
    let _ = keeper.await;
    fleet.shared.publisher.drain(fleet.shared.options.stop_deadline).await;
    tracing::info!(sessions = report.sessions, abandoned = report.abandoned, "worker stopped");
    report
}

fn share(options: WorkerOptions, ports: WorkerPorts, parts: &CancellationToken) -> Shared {
    let ledger = Arc::clone(&ports.ledger);
    let writes = Group::start("the ledger", MOST_WRITES, move |writes| {
        let ledger = Arc::clone(&ledger);
        async move { ledger.write(writes).await }
    });
    let ledger = Arc::clone(&ports.ledger);
    let entries = Group::start("the ledger's reader", MOST_WRITES, move |keys: Vec<_>| {
        let ledger = Arc::clone(&ledger);
        async move { ledger.get(&keys).await }
    });
    let publisher = Publisher::start(
        Arc::clone(&ports.events),
        Arc::clone(&ports.outbox),
        Arc::clone(&ports.entropy),
        parts.clone(),
        options.crash.clone(),
    );
    let keeper =
        Keeper::new(Arc::clone(&ports.leases), Arc::clone(&ports.clock), options.lease_ttl, options.renew_every);
    Shared { options, ports, ledger: writes, entries, publisher, keeper }
}

impl Fleet {
    fn beat(&self, leaving: bool) -> Beat {
        Beat {
            worker: self.shared.options.name.clone(),
            instance: self.instance,
            capacity: self.shared.options.capacity.get(),
            held: u32::try_from(self.held.len()).unwrap_or(u32::MAX),
            leaving,
        }
    }

    async fn tell(&self, kind: EventKind) {
        let Beat { worker, instance, capacity, held, .. } = self.beat(false);
        let now = self.shared.ports.clock.now();
        let event = FleetDataV1::event(kind, &self.shared.options.operator, (&worker, instance, capacity, held), now);
        let events = vec![event];
        match self.shared.ports.outbox.add(&events).await {
            Ok(()) => self.shared.publisher.publish_later(events),
            Err(error) => tracing::warn!(error = %error.chain(), %kind, "the fleet could not be told"),
        }
    }

    /// One look at the fleet: idempotent, and the only way that sessions are taken or handed over.
    async fn scan(&mut self) -> Result<(), PortError> {
        let options = &self.shared.options;
        let ttl = options.scan_every * MISSED_BEATS;
        self.shared.ports.members.beat(&self.beat(false), ttl).await?;
        let members = self.shared.ports.members.members().await?;
        let records = self.records().await?;
        let now = self.shared.ports.clock.now();
        let wanted: Vec<SessionId> =
            records.iter().filter(|record| is_to_be_held(record, now)).map(|record| record.id.clone()).collect();
        let scanned: HashSet<SessionId> = records
            .iter()
            .filter(|record| matches!(record.status.state, SessionState::AwaitingScan | SessionState::Paired))
            .map(|record| record.id.clone())
            .collect();
        self.drop_unwanted(&records);
        let staying: Vec<&Beat> = members.iter().filter(|beat| !beat.leaving).collect();
        let candidates: Vec<Candidate> = staying
            .iter()
            .map(|beat| Candidate { id: format!("{}/{:032x}", beat.worker, beat.instance), capacity: beat.capacity })
            .collect();
        let placed = place(&wanted, &candidates);
        let mut moves = options.moves_per_scan;
        let mut takes = options.takes_per_scan;
        let elsewhere = self.held_elsewhere(&wanted).await?;
        for (session, at) in wanted.into_iter().zip(placed) {
            let mine = at.is_some_and(|at| staying[at].instance == self.instance);
            match (mine, self.held.get(&session)) {
                (true, None) if takes > 0 && !elsewhere.contains(&session) => {
                    takes -= usize::from(self.take(session, now));
                }
                // A person is about to scan: a move would void the code on their screen.
                (false, Some(_)) if scanned.contains(&session) => {}
                (false, Some(stop)) if at.is_some() && moves > 0 && !stop.is_cancelled() => {
                    tracing::info!(%session, "session is handed over");
                    stop.cancel();
                    moves -= 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Which of these sessions another worker holds now; asking for their leases would be in vain.
    async fn held_elsewhere(&self, sessions: &[SessionId]) -> Result<HashSet<SessionId>, PortError> {
        let open: Vec<SessionId> =
            sessions.iter().filter(|session| !self.held.contains_key(session)).cloned().collect();
        if open.is_empty() {
            return Ok(HashSet::new());
        }
        let held = self.shared.ports.leases.held(&open).await?;
        Ok(open.into_iter().zip(held).filter_map(|(session, held)| held.then_some(session)).collect())
    }

    async fn records(&self) -> Result<Vec<SessionRecord>, PortError> {
        let mut records: Vec<SessionRecord> = Vec::new();
        loop {
            let after = records.last().map(|record| record.id.clone());
            let page = self.shared.ports.sessions.list(None, after.as_ref(), PAGE).await?;
            let more = page.len() == PAGE as usize;
            records.extend(page);
            if !more {
                return Ok(records);
            }
        }
    }

    /// Stops what nobody wants running any more.
    fn drop_unwanted(&self, records: &[SessionRecord]) {
        for record in records.iter().filter(|record| record.wanted != Wanted::Running) {
            if let Some(stop) = self.held.get(&record.id) {
                stop.cancel();
            }
        }
    }

    /// Starts to own a session; tells whether it did, which it does not soon after a failure.
    fn take(&mut self, session: SessionId, now: Timestamp) -> bool {
        if self.failed.get(&session).is_some_and(|(_, until)| now < *until) {
            return false;
        }
        let stop = CancellationToken::new();
        self.held.insert(session.clone(), stop.clone());
        let span = tracing::info_span!("session", %session, worker = %self.shared.options.name, epoch = tracing::field::Empty, tenant = tracing::field::Empty);
        let owning = own(Arc::clone(&self.shared), session.clone(), stop);
        self.tasks.spawn(async move { (session, owning.await) }.instrument(span));
        true
    }

    fn ended(&mut self, ended: Result<(SessionId, Ended), tokio::task::JoinError>) {
        // Panics are caught where the session is known, and nobody aborts these tasks.
        let Ok((session, ended)) = ended else { return };
        self.held.remove(&session);
        let ports = &self.shared.ports;
        let pause = match &ended {
            Ended::Failed(error) => {
                tracing::warn!(%session, %error, "session failed; it is tried again");
                BACKOFF
            }
            // Whoever took it from us is to keep it: coming back at once would be a fight over the number.
            Ended::Replaced => Backoff { base: self.shared.options.lease_ttl, max: LONGEST_TRUCE },
            Ended::Taken => return,
            _ => {
                tracing::info!(%session, ?ended, "session ended");
                return;
            }
        };
        let now = ports.clock.now();
        let (times, until) = self.failed.entry(session).or_insert((0, now));
        // A long while after the last time it is a new story.
        if now.since(*until) > LONGEST_TRUCE {
            *times = 0;
        }
        *times += 1;
        *until = now.plus(pause.delay(*times, ports.entropy.fraction().max(0.5)));
    }

    async fn stop(&mut self) -> StopReport {
        // The others may take over while we finish what is on the wire.
        let ttl = self.shared.options.scan_every * MISSED_BEATS;
        if let Err(error) = self.shared.ports.members.beat(&self.beat(true), ttl).await {
            tracing::debug!(error = %error.chain(), "the fleet could not be told that this worker leaves");
        }
        let mut report = StopReport { sessions: self.held.len(), abandoned: 0 };
        for stop in self.held.values() {
            stop.cancel();
        }
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok((_, Ended::Stopped { abandoned })) => report.abandoned += abandoned,
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "a session's task broke while stopping"),
            }
        }
        self.held.clear();
        self.tell(EventKind::WorkerLeft).await;
        if let Err(error) = self.shared.ports.members.leave(&self.shared.options.name, self.instance).await {
            tracing::debug!(error = %error.chain(), "the heartbeat could not be taken back; it runs out by itself");
        }
        report
    }
}

/// Whether somebody should hold this session now.
fn is_to_be_held(record: &SessionRecord, now: Timestamp) -> bool {
    match record.wanted {
        Wanted::Deleted => true,
        Wanted::Stopped => false,
        Wanted::Running => {
            record.status.state != SessionState::Banned || record.status.until.is_none_or(|until| now >= until)
        }
    }
}
