//! Owning a session: lease, epoch, connection, jobs, and the way back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use kurir_core::domain::{
    FailReason, Fence, JobKey, Lane, LeaseHolder, LeaseToken, LedgerEntry, OwnLimits, PhoneNumber, PoolId, Rest,
    SessionId, SessionRecord, TenantId, Wanted,
};
use kurir_core::port::{
    Connection, LedgerWrite, MessengerError, MessengerEvent, PortError, Receipt, Sender, Stored, Written,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::life::{Life, Next};
use super::{Contacts, Numbers, Owned, Turnstile, calls, errand, fetch, limits, receipts};
use crate::group::Group;
use crate::job;
use crate::lease::Keeper;
use crate::options::WorkerOptions;
use crate::ports::WorkerPorts;
use crate::publisher::Publisher;
use crate::room::Room;

/// How long jobs may take to come to their end when their connection has ended for good.
pub(super) const TO_CONCLUDE: Duration = Duration::from_secs(2);

/// Most receipts that wait to be recorded; beyond that the connection waits.
const RECEIPTS: usize = 1024;

/// What all sessions of a worker share.
pub(crate) struct Shared {
    /// Tells this process apart from another worker of the same name; random.
    pub(crate) instance: u128,
    pub(crate) options: WorkerOptions,
    pub(crate) ports: WorkerPorts,
    pub(crate) ledger: Group<LedgerWrite, Written>,
    pub(crate) entries: Group<JobKey, Option<LedgerEntry>>,
    pub(crate) publisher: Publisher,
    pub(crate) keeper: Keeper,
    /// For files on their way.
    pub(crate) room: Room,
    /// Whether a tenant's recipient wants no bulk messages; questions that come at once share one look.
    pub(crate) suppressed: Group<(TenantId, PhoneNumber), bool>,
}

/// How owning a session ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Somebody else holds the lease.
    Taken,
    /// There is no such session any more.
    Gone,
    /// We were told to; so many jobs were left in work.
    Stopped {
        /// Jobs that were cut off. They are delivered again to the next owner.
        abandoned: usize,
    },
    /// Another owner has it, or the lease ran out.
    Lost,
    /// Another connection took its place at WhatsApp, and none of the fleet's: somebody else uses the same account.
    Replaced,
    /// The session itself has to rest: logged out, banned, not scanned.
    Rests,
    /// Something failed; try again after a while.
    Failed(EndError),
}

/// Why owning a session failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndError {
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Messenger(#[from] MessengerError),
    #[error("the WhatsApp client ended without a word")]
    ClientEnded,
    #[error("the session's task panicked; this is a defect of kurir")]
    Panicked,
}

/// What is said of a session while it has an owner.
pub(crate) struct Told {
    /// Which pool it belongs to.
    pub(crate) pool: watch::Receiver<Option<PoolId>>,
    /// Which limits it has of its own.
    pub(crate) limits: watch::Receiver<Option<OwnLimits>>,
}

/// What a worker tells the owner of one of its sessions.
pub(crate) struct Orders {
    /// What changes while it has it.
    pub(crate) told: Told,
    /// Where the owner notes how many restarts had been asked for when it took the session: its connection is newer.
    pub(crate) restarts: Arc<AtomicU64>,
    /// Cancelled when it is to let go.
    pub(crate) stop: CancellationToken,
}

/// Takes the session, serves it until told to stop or until it is lost, and gives it back.
pub(crate) async fn own(shared: Arc<Shared>, session: SessionId, orders: Orders) -> Ended {
    let holder = LeaseHolder::new(&shared.options.name, shared.instance);
    let token = LeaseToken::new(&holder, shared.ports.entropy.nonce());
    let lost = match shared.keeper.acquire(&session, token).await {
        Ok(Some(lost)) => lost,
        Ok(None) => return Ended::Taken,
        Err(error) => return Ended::Failed(error.into()),
    };
    // However it ends, a panic included: whatever belongs to the session ends with it.
    let _end = lost.clone().drop_guard();
    let owning = AssertUnwindSafe(claimed(&shared, &session, orders, lost)).catch_unwind();
    let ended = owning.await.unwrap_or(Err(EndError::Panicked));
    shared.keeper.release(&session).await;
    ended.unwrap_or_else(Ended::Failed)
}

async fn claimed(
    shared: &Arc<Shared>,
    session: &SessionId,
    Orders { told, restarts, stop }: Orders,
    lost: CancellationToken,
) -> Result<Ended, EndError> {
    let Some(record) = shared.ports.sessions.claim(session, &shared.options.name).await? else {
        return Ok(Ended::Gone);
    };
    restarts.store(record.restarts, Ordering::Relaxed);
    let fence = Fence { session: session.clone(), epoch: record.epoch };
    let span = tracing::Span::current();
    span.record("epoch", tracing::field::display(fence.epoch));
    span.record("tenant", tracing::field::display(&record.tenant));
    tracing::info!(state = %record.status.state, "session claimed");
    let ended = held(shared, record, fence.clone(), told, stop, lost).await;
    // Whoever waits for the end of a stop looks for it. A session that is wanted running finds its next owner anyway.
    if let Err(error) = shared.ports.sessions.let_go(&fence).await {
        tracing::warn!(%session, error = %error.chain(), "that the session was let go of could not be written");
    }
    ended
}

/// Does what is wanted of a session that was claimed.
async fn held(
    shared: &Arc<Shared>,
    record: SessionRecord,
    fence: Fence,
    told: Told,
    stop: CancellationToken,
    lost: CancellationToken,
) -> Result<Ended, EndError> {
    match record.wanted {
        Wanted::Stopped => return Ok(Ended::Rests),
        Wanted::Deleted | Wanted::LoggedOut => return errand::run(shared, &record, fence, &stop, &lost).await,
        Wanted::Running => {}
    }
    shared.ports.jobs.declare(&record.id).await?;
    let connection = shared.ports.messenger.open(fence.clone()).await?;
    Ok(serve(shared, record, fence, connection, told, stop, lost).await)
}

async fn serve(
    shared: &Arc<Shared>,
    record: SessionRecord,
    fence: Fence,
    connection: Connection,
    told: Told,
    stop: CancellationToken,
    lost: CancellationToken,
) -> Ended {
    let Connection { sender, mut events } = connection;
    let options = &shared.options;
    let clock = Arc::clone(&shared.ports.clock);
    // Ends the parts of this session; not the worker's.
    let parts = CancellationToken::new();
    let _end_parts = parts.clone().drop_guard();
    let (link, linked) = watch::channel(false);
    let owned = Arc::new(Owned {
        shared: Arc::clone(shared),
        tenant: record.tenant.clone(),
        fence,
        sender: Arc::clone(&sender),
        link: linked.clone(),
        turnstile: Turnstile::start(limits::of(options, &record), Arc::clone(&clock), parts.clone()),
        pool: told.pool,
        limits: watch::Sender::new(record.limits),
        contacts: Contacts::default(),
        numbers: Numbers::start(Arc::clone(&sender), linked, clock, options, parts.clone()),
        in_work: job::InWork::default(),
        files: tokio::sync::Notify::new(),
        lost,
        stopping: stop.clone(),
    });
    let (receipts, recorded) = mpsc::channel(RECEIPTS);
    let recorder = tokio::spawn(receipts::record(Arc::clone(&owned), recorded));
    // It writes nothing that an owner after us could not write as well, so nobody waits for its end.
    let fetching = fetch::fetch_files(Arc::clone(&owned));
    tokio::spawn(parts.clone().run_until_cancelled_owned(fetching));
    tokio::spawn(calls::serve(Arc::clone(&owned)));
    tokio::spawn(parts.clone().run_until_cancelled_owned(limits::follow(Arc::clone(&owned), told.limits)));
    let (limited, mut rests) = mpsc::channel(4);
    // Connect, then consume: the lanes start with the first connection.
    let mut lanes = Vec::new();
    let mut life = Life::new(record.status);

    let next = loop {
        let event = tokio::select! {
            biased;
            () = owned.lost.cancelled() => break Some(Next::Lost),
            () = stop.cancelled() => break None,
            Some(rest) = rests.recv() => {
                match life.limited(&owned, rest).await {
                    Ok(Next::Lost) => break Some(Next::Lost),
                    Ok(_) => continue,
                    Err(error) => {
                        tracing::warn!(session = %owned.id(), error = %error.chain(), "the limit could not be recorded");
                        continue;
                    }
                }
            }
            event = events.recv() => event,
        };
        let Some(event) = event else {
            finish(&owned, &mut lanes, &*sender, Duration::ZERO).await;
            return Ended::Failed(EndError::ClientEnded);
        };
        match handle(&owned, &mut life, event, &receipts).await {
            Ok(Next::Go) => {}
            Ok(Next::Link(up)) => {
                if up {
                    limits::settle(&owned, life.status()).await;
                }
                link.send_replace(up);
                if up && lanes.is_empty() {
                    for lane in Lane::ALL {
                        lanes.push(tokio::spawn(job::serve_lane(Arc::clone(&owned), lane, limited.clone())));
                        lanes.push(tokio::spawn(job::serve_pool(Arc::clone(&owned), lane, limited.clone())));
                    }
                }
            }
            Ok(next @ (Next::Rest | Next::Banned | Next::Lost | Next::Replaced)) => break Some(next),
            Err(error) => {
                finish(&owned, &mut lanes, &*sender, Duration::ZERO).await;
                return Ended::Failed(error.into());
            }
        }
    };
    match next {
        Some(Next::Lost | Next::Replaced) => {
            // The socket first: whatever is on its way must not go out under somebody else's epoch.
            owned.lost.cancel();
            sender.close(Duration::ZERO).await;
            finish(&owned, &mut lanes, &*sender, Duration::ZERO).await;
            if next == Some(Next::Replaced) && is_ours(&owned).await { Ended::Replaced } else { Ended::Lost }
        }
        Some(_) => {
            // It is still ours: what could not be put on the wire any more is written down as such.
            finish(&owned, &mut lanes, &*sender, TO_CONCLUDE).await;
            owned.lost.cancel();
            if next == Some(Next::Rest)
                && let Err(error) = shared.ports.sessions.rest(&owned.fence, Wanted::Running).await
            {
                return Ended::Failed(error.into());
            }
            Ended::Rests
        }
        None => hand_over(&owned, &mut lanes, events, receipts, recorder).await,
    }
}

/// Whether the session is this worker's as far as the store knows. A worker of the fleet that took it has told the store before it
/// connected; somebody else who uses the account has told nobody.
async fn is_ours(owned: &Owned) -> bool {
    match owned.shared.ports.sessions.get(owned.id()).await {
        Ok(record) => record.is_some_and(|record| record.epoch == owned.fence.epoch),
        // Nobody knows; so it rests.
        Err(_) => true,
    }
}

/// Ends a session that somebody else goes on with: what is on the wire is finished, what still comes in is recorded.
async fn hand_over(
    owned: &Owned,
    lanes: &mut [JoinHandle<usize>],
    mut events: mpsc::Receiver<MessengerEvent>,
    receipts: mpsc::Sender<(Receipt, Stored)>,
    recorder: JoinHandle<()>,
) -> Ended {
    let deadline = owned.shared.options.stop_deadline;
    let until = tokio::time::Instant::now() + deadline;
    let abandoned = {
        let mut finishing = std::pin::pin!(finish(owned, lanes, &*owned.sender, deadline));
        loop {
            tokio::select! {
                abandoned = &mut finishing => break abandoned,
                // Receipts still come for what is on the wire.
                Some(event) = events.recv() => record_last(owned, event, &receipts).await,
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        record_last(owned, event, &receipts).await;
    }
    drop(receipts);
    // What came in before the socket was closed is still recorded under our epoch.
    if tokio::time::timeout_at(until, recorder).await.is_err() {
        tracing::warn!(session = %owned.id(), "receipts were left unrecorded at the stop");
    }
    Ended::Stopped { abandoned }
}

/// Records what comes in while the session ends; its state is the next owner's business.
async fn record_last(owned: &Owned, event: MessengerEvent, receipts: &mpsc::Sender<(Receipt, Stored)>) {
    match event {
        MessengerEvent::Receipt { receipt, stored } => {
            // What finds no room comes again.
            let _ = receipts.try_send((receipt, stored));
        }
        MessengerEvent::Incoming { messages, stored } if receipts::receive(owned, &messages).await => stored.tell(),
        _ => {}
    }
}

/// Hands one event to whoever it concerns.
async fn handle(
    owned: &Owned,
    life: &mut Life,
    event: MessengerEvent,
    receipts: &mpsc::Sender<(Receipt, Stored)>,
) -> Result<Next, PortError> {
    match event {
        MessengerEvent::Receipt { receipt, stored } => {
            // The recorder ends only with us. Nobody waits for it beyond a stop: what is dropped comes again.
            tokio::select! {
                _ = receipts.send((receipt, stored)) => {}
                () = owned.stopping.cancelled() => {}
                () = owned.lost.cancelled() => {}
            }
            Ok(Next::Go)
        }
        MessengerEvent::Incoming { messages, stored } => {
            if receipts::receive(owned, &messages).await {
                stored.tell();
            }
            Ok(Next::Go)
        }
        MessengerEvent::Restricted { until } => {
            let now = owned.shared.ports.clock.now();
            let rest = Rest { until: job::bounded(until, now), reason: FailReason::SenderRestricted };
            owned.turnstile.rest(rest).await;
            life.limited(owned, rest).await
        }
        MessengerEvent::Unrestricted => {
            owned.turnstile.lift().await;
            life.lifted(owned).await
        }
        event => {
            let next = life.record(owned, &event).await?;
            if matches!(event, MessengerEvent::LoggedOut) {
                // The credentials are void; a new scan begins from nothing.
                if owned.shared.ports.state.wipe(&owned.fence).await? != Written::Done {
                    return Ok(Next::Lost);
                }
            }
            Ok(next)
        }
    }
}

/// Ends the lanes, giving what is on the wire until the deadline, then the connection. Tells how many jobs were cut off.
async fn finish(owned: &Owned, lanes: &mut [JoinHandle<usize>], sender: &dyn Sender, deadline: Duration) -> usize {
    let until = tokio::time::Instant::now() + deadline;
    owned.stopping.cancel();
    let mut abandoned = 0;
    for lane in lanes.iter_mut() {
        let finished = tokio::time::timeout_at(until, &mut *lane).await;
        let left = if let Ok(left) = finished {
            left
        } else {
            // The lane itself cuts off what is left once the session counts as lost.
            owned.lost.cancel();
            lane.await
        };
        abandoned += left.unwrap_or(0);
    }
    let left = until.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_millis(500));
    if !sender.close(left).await {
        tracing::warn!(session = %owned.id(), "the connection was cut before all was flushed");
    }
    abandoned
}
