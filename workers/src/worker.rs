//! The worker: its parts, and the loop that follows the fleet.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{EventKind, Sight};
use kurir_core::port::Watch;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fleet::{Fleet, process_of};
use crate::group::Group;
use crate::lease::Keeper;
use crate::options::WorkerOptions;
use crate::ports::WorkerPorts;
use crate::publisher::Publisher;
use crate::session::Shared;

/// Most writes in one commit of the ledger.
const MOST_WRITES: usize = 256;

/// A look that was asked for comes at the earliest so long after the one before, and not before ten times of what that
/// one took: however many ask, looking takes a tenth of the time at most.
const LOOKS_APART: Duration = Duration::from_millis(100);

/// What a worker left behind when it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Sessions that were handed over.
    pub sessions: usize,
    /// Jobs that were cut off; they are delivered again to the next owner.
    pub abandoned: usize,
    /// Writes of this process that the store refused because the session had another owner by then.
    pub refused: u64,
}

/// A running worker.
pub struct Worker {
    stop: CancellationToken,
    held: watch::Receiver<usize>,
    joined: watch::Receiver<bool>,
    task: JoinHandle<StopReport>,
}

impl Worker {
    /// Starts it. It is ready once its first look at the fleet is done.
    pub fn start(options: WorkerOptions, ports: WorkerPorts) -> Self {
        let stop = CancellationToken::new();
        let (count, held) = watch::channel(0);
        let (join, joined) = watch::channel(false);
        let task = tokio::spawn(run(options, ports, stop.clone(), count, join));
        Self { stop, held, joined, task }
    }

    /// Whether it takes part in the fleet: its first look has succeeded, and it has not left yet. Followed live.
    pub fn joined(&self) -> watch::Receiver<bool> {
        self.joined.clone()
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

async fn run(
    options: WorkerOptions,
    ports: WorkerPorts,
    stop: CancellationToken,
    count: watch::Sender<usize>,
    join: watch::Sender<bool>,
) -> StopReport {
    // Ends the parts that the sessions need until their very end.
    let parts = CancellationToken::new();
    let _end_parts = parts.clone().drop_guard();
    let shared = Arc::new(share(options, ports, &parts));
    let keeper = tokio::spawn({
        let (shared, parts) = (Arc::clone(&shared), parts.clone());
        async move { shared.keeper.run(parts).await }
    });
    let mut vigil = None;
    let mut fleet = Fleet::new(shared);
    fleet.tell(EventKind::WorkerJoined).await;
    let options = &fleet.shared.options;
    let mut timer = tokio::time::interval(options.scan_every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut takes = tokio::time::interval(options.take_every);
    takes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut joined = false;
    let mut asked: Option<tokio::time::Instant> = None;
    let mut not_before = tokio::time::Instant::now();
    loop {
        let look = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            ended = fleet.next_ended() => {
                if fleet.ended(ended) {
                    fleet.nudge().await;
                }
                None
            }
            sight = seen(&mut vigil) => {
                let now = sight.is_some_and(|sight| fleet.see(sight));
                asked = [asked, now.then_some(not_before)].into_iter().flatten().min();
                None
            }
            _ = takes.tick(), if fleet.takes_wait() => {
                fleet.take_next();
                None
            }
            _ = timer.tick() => Some(true),
            () = until(asked) => Some(false),
        };
        if let Some(regular) = look {
            let begun = tokio::time::Instant::now();
            if vigil.is_none() {
                vigil = keep_vigil(&fleet).await;
            }
            let looked = if regular { fleet.regular_look().await } else { fleet.look().await };
            let looked_well = looked.is_ok();
            if let Err(error) = looked {
                tracing::warn!(error = %error.chain(), "the sessions could not be looked through; the next look goes on");
            }
            if !joined && looked_well {
                // The others give up what is this worker's share.
                joined = true;
                join.send_replace(true);
                fleet.nudge().await;
            }
            asked = fleet.looks_again().map(|after| tokio::time::Instant::now() + after);
            not_before = tokio::time::Instant::now() + LOOKS_APART.max(begun.elapsed() * 10);
        }
        count.send_replace(fleet.held());
    }
    join.send_replace(false);
    let report = fleet.stop().await;
    count.send_replace(0);
    parts.cancel();
    let _ = keeper.await;
    fleet.shared.publisher.drain(fleet.shared.options.stop_deadline).await;
    tracing::info!(
        worker = %fleet.shared.options.name,
        sessions = report.sessions,
        abandoned = report.abandoned,
        refused = report.refused,
        "worker stopped"
    );
    report
}

/// Begins to watch the fleet. Without it a death is noticed by the heartbeats, later.
async fn keep_vigil(fleet: &Fleet) -> Option<Watch> {
    match fleet.shared.ports.vigil.keep(process_of(fleet.shared.instance)).await {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(error = %error.chain(), "the fleet can't be watched; the next look tries again");
            None
        }
    }
}

/// The next thing that is seen. A vigil that has ended is begun anew by the next look.
async fn seen(vigil: &mut Option<Watch>) -> Option<Sight> {
    match vigil {
        None => std::future::pending().await,
        Some(watch) => {
            let sight = watch.sights.recv().await;
            if sight.is_none() {
                *vigil = None;
            }
            sight
        }
    }
}

async fn until(asked: Option<tokio::time::Instant>) {
    match asked {
        None => std::future::pending().await,
        Some(at) => tokio::time::sleep_until(at).await,
    }
}

fn share(options: WorkerOptions, ports: WorkerPorts, parts: &CancellationToken) -> Shared {
    let ledger = Arc::clone(&ports.ledger);
    let refused = ports.refused.clone();
    let writes = Group::start("the ledger", MOST_WRITES, move |writes| {
        let (ledger, refused) = (Arc::clone(&ledger), refused.clone());
        async move { ledger.write(writes).await.inspect(|written| refused.note(written)) }
    });
    let ledger = Arc::clone(&ports.ledger);
    let entries = Group::start("the ledger's reader", MOST_WRITES, move |keys: Vec<_>| {
        let ledger = Arc::clone(&ledger);
        async move { ledger.get(&keys).await }
    });
    let list = Arc::clone(&ports.suppressions);
    let suppressed = Group::start("the list of suppressed numbers", MOST_WRITES, move |asked: Vec<_>| {
        let list = Arc::clone(&list);
        async move { list.suppressed(&asked).await }
    });
    let publisher = Publisher::start(
        Arc::clone(&ports.events),
        Arc::clone(&ports.outbox),
        Arc::clone(&ports.entropy),
        parts.clone(),
        options.crash.clone(),
    );
    let keeper = Keeper::new(
        Arc::clone(&ports.leases),
        Arc::clone(&ports.clock),
        options.lease_ttl,
        options.renew_every,
        Arc::clone(&ports.observer),
    );
    let instance = ports.entropy.nonce();
    Shared { instance, options, ports, ledger: writes, entries, publisher, keeper, suppressed }
}
