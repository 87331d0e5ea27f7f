//! Takes a lane's jobs while the session is ours, a bounded number at a time.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{Lane, Rest, Timestamp, Wanted};
use kurir_core::policy::Backoff;
use kurir_core::port::{Delivery, JobHeaders, JobStream, PortError, Settled};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::path::{self, Settlement};
use crate::crash_point::CrashPoint;
use crate::session::Owned;

/// Pauses between tries to subscribe while the broker is away.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_secs(10) };

/// How long a queue that somebody deleted is let alone before it is made anew. The broker deletes a quorum queue in several
/// steps; one that was declared at once has lost three confirmed jobs (seen once, RabbitMQ 3.10; not again in 12 tries with
/// this pause).
const AFTER_REMOVAL: Duration = Duration::from_secs(2);

/// How long a job waits that met a store or a broker that did not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long a job may be held unsettled while it waits for its turn; RabbitMQ's own limit is 30 minutes.
pub(crate) const HELD: Duration = Duration::from_mins(5);

/// Serves a lane until the session stops or is lost. Tells how many jobs were cut off. `limited` hears of the rests
/// that WhatsApp demands.
pub(crate) async fn serve_lane(owned: Arc<Owned>, lane: Lane, limited: mpsc::Sender<Rest>) -> usize {
    let mut limits = owned.limits.subscribe();
    let mut slots = Slots::default();
    let mut jobs: JoinSet<()> = JoinSet::new();
    let mut attempt = 0;
    let mut refused = false;
    while !owned.stopping.is_cancelled() && !owned.lost.is_cancelled() {
        limits.mark_unchanged();
        let window = || fitting(owned.shared.options.window(lane), owned.pace().every, HELD);
        let fits = window();
        let slots = slots.of(fits);
        let failed = match subscribe(&owned, lane, fits, refused).await {
            Ok(mut stream) => {
                (attempt, refused) = (0, false);
                // As many as another pace lets go in time.
                let another = async { while window() == fits && limits.changed().await.is_ok() {} };
                let taken = tokio::select! {
                    taken = take(&owned, &mut *stream, &slots, &mut jobs, &limited) => taken,
                    () = another => Ok(()),
                };
                if let Err(error) = stream.close().await {
                    tracing::debug!(session = %owned.id(), %lane, error = %error.chain(), "the lane's stream did not close well");
                }
                taken
            }
            Err(error) => {
                refused = true;
                Err(error)
            }
        };
        if let Err(error) = failed {
            attempt += 1;
            tracing::warn!(session = %owned.id(), %lane, attempt, error = %error.chain(), "the lane's queue can't be read; trying again");
            pause(&owned, attempt, &error).await;
        }
    }
    finish(&owned, jobs).await
}

/// Waits before the next try to read a queue; not beyond the end of the session.
pub(super) async fn pause(owned: &Owned, attempt: u32, error: &PortError) {
    let mut pause = BACKOFF.delay(attempt, owned.shared.ports.entropy.fraction());
    if !error.is_transient() {
        pause = pause.max(AFTER_REMOVAL);
    }
    tokio::select! {
        () = owned.stopping.cancelled() => {}
        () = owned.lost.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// Subscribes. After a refusal (`again`) the queues are declared first, since somebody may have deleted them.
async fn subscribe(owned: &Owned, lane: Lane, window: u16, again: bool) -> Result<Box<dyn JobStream>, PortError> {
    let ports = &owned.shared.ports;
    if again {
        let record = ports.sessions.get(owned.id()).await?;
        // The queues of a session that is gone, or about to be, must not come back.
        if record.is_some_and(|record| record.epoch == owned.fence.epoch && record.wanted == Wanted::Running) {
            ports.jobs.declare(owned.id()).await?;
        }
    }
    ports.jobs.subscribe(owned.id(), lane, window).await
}

/// A place for each job in work.
#[derive(Default)]
pub(super) struct Slots(Option<(u16, Arc<Semaphore>)>);

impl Slots {
    /// For this many jobs. Those that are in work under another number keep their places there.
    pub(super) fn of(&mut self, window: u16) -> Arc<Semaphore> {
        match &self.0 {
            Some((fits, slots)) if *fits == window => Arc::clone(slots),
            _ => {
                let slots = Arc::new(Semaphore::new(usize::from(window)));
                self.0 = Some((window, Arc::clone(&slots)));
                slots
            }
        }
    }
}

/// As many jobs as the pace lets go within `held`, at least one: those that wait for their turn are held unsettled, and
/// the broker takes back what is held for too long.
pub(super) fn fitting(window: u16, every: Duration, held: Duration) -> u16 {
    let fit = held.as_millis().checked_div(every.as_millis()).unwrap_or(u128::MAX).max(1);
    window.min(u16::try_from(fit).unwrap_or(u16::MAX))
}

/// Takes jobs until the session stops (`Ok`) or the stream breaks.
pub(super) async fn take(
    owned: &Arc<Owned>,
    stream: &mut dyn JobStream,
    slots: &Arc<Semaphore>,
    jobs: &mut JoinSet<()>,
    limited: &mpsc::Sender<Rest>,
) -> Result<(), PortError> {
    loop {
        let next = async {
            let slot = Arc::clone(slots).acquire_owned().await.map_err(|_| PortError::Closed("the lane"))?;
            // Nothing new is sent while nobody would hear of it.
            owned.shared.publisher.healthy().await;
            Ok(stream.next().await?.map(|delivery| (slot, delivery)))
        };
        let taken = tokio::select! {
            biased;
            () = owned.lost.cancelled() => return Ok(()),
            () = owned.stopping.cancelled() => return Ok(()),
            Some(_) = jobs.join_next(), if !jobs.is_empty() => continue,
            taken = next => taken?,
        };
        let Some((slot, delivery)) = taken else {
            return Err(PortError::Closed("the lane's stream"));
        };
        let (owned, limited) = (Arc::clone(owned), limited.clone());
        jobs.spawn(async move {
            let span =
                tracing::info_span!("job", session = %owned.id(), lane = %delivery.lane, job = tracing::field::Empty);
            serve(&owned, delivery, &limited).instrument(span).await;
            drop(slot);
        });
    }
}

/// A job in this worker's hands, told to whoever counts; also when it is cut off.
struct InHand<'a> {
    owned: &'a Owned,
    lane: Lane,
    since: Timestamp,
}

impl<'a> InHand<'a> {
    fn take(owned: &'a Owned, lane: Lane, headers: &JobHeaders) -> Self {
        let now = owned.shared.ports.clock.now();
        let since = headers.enqueued_at.unwrap_or(now);
        owned.shared.ports.observer.taken(lane, since, now, headers.hop == 0 && headers.attempt == 0);
        Self { owned, lane, since }
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.owned.shared.ports.observer.settled(self.lane, self.since);
    }
}

/// One job, from delivery to settlement.
async fn serve(owned: &Owned, delivery: Delivery, limited: &mpsc::Sender<Rest>) {
    let Delivery { target, lane, body, headers, settle } = delivery;
    let retry = headers.clone();
    let _in_hand = InHand::take(owned, lane, &headers);
    let settlement = match path::process(owned, &target, lane, &body, headers, limited).await {
        Ok(settlement) => settlement,
        Err(error) => {
            tracing::warn!(error = %error.chain(), "a job met a failure and comes back");
            if owned.stopping.is_cancelled() {
                Settlement::Leave
            } else {
                Settlement::Park(AFTER_FAILURE, JobHeaders { hop: retry.hop.saturating_add(1), ..retry })
            }
        }
    };
    let settled = match settlement {
        Settlement::Ack => settle.ack().await,
        Settlement::Park(delay, headers) => {
            let parked = settle.park(delay, headers).await;
            parked.inspect(|_| owned.shared.options.crash.pass(CrashPoint::JobParked))
        }
        Settlement::Pass(to, delay, headers) => settle.pass(&to, delay, headers).await,
        Settlement::Dead(letter) => settle.dead(letter).await,
        Settlement::Release => settle.release().await,
        Settlement::Leave => return,
    };
    match settled {
        Ok(Settled::Yes) => {}
        Ok(Settled::Stale) => tracing::debug!("the queue had taken the job back; it is delivered again and recognised"),
        Err(error) => {
            tracing::warn!(error = %error.chain(), "the job could not be settled; it is delivered again and recognised");
        }
    }
}

/// Waits until no job is in work, at most `limit` and not beyond the end of the session.
pub(super) async fn ended(owned: &Owned, jobs: &mut JoinSet<()>, limit: Duration) {
    let all = async { while jobs.join_next().await.is_some() {} };
    tokio::select! {
        () = all => {}
        () = tokio::time::sleep(limit) => {}
        () = owned.lost.cancelled() => {}
    }
}

/// Waits for the jobs in work; once the session is lost, cuts off what is left and counts it.
pub(super) async fn finish(owned: &Owned, mut jobs: JoinSet<()>) -> usize {
    loop {
        tokio::select! {
            joined = jobs.join_next() => if joined.is_none() { return 0 },
            () = owned.lost.cancelled() => break,
        }
    }
    let left = jobs.len();
    jobs.shutdown().await;
    left
}
