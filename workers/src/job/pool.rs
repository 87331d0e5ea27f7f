//! Takes a session's share of its pool's jobs, while it has a pool, can send, and has something left of its day.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{Lane, OwnLimits, PoolId, Rest};
use kurir_core::port::{JobStream, PortError, Share};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::lane;
use crate::session::{Owned, Standing, Standings};

/// As long as this a job of the pool may wait for its turn at one sender: others could send it meanwhile.
pub(crate) const HELD: Duration = Duration::from_secs(2);

/// How long the jobs in work may take to notice that the connection is gone.
const TO_TELL: Duration = Duration::from_secs(2);

/// Serves a lane of whatever pool the session belongs to, until the session stops or is lost. Tells how many jobs were
/// cut off.
pub(crate) async fn serve_pool(owned: Arc<Owned>, lane: Lane, limited: mpsc::Sender<Rest>) -> usize {
    let mut slots = lane::Slots::default();
    let mut jobs = JoinSet::new();
    let mut watches = Watches::new(&owned);
    let mut attempt = 0;
    while !owned.stopping.is_cancelled() && !owned.lost.is_cancelled() {
        let Some(reader) = watches.reader(&owned, lane) else {
            tokio::select! {
                () = owned.stopping.cancelled() => {}
                () = owned.lost.cancelled() => {}
                // Every job tells its end by itself.
                Some(_) = jobs.join_next(), if !jobs.is_empty() => {}
                open = watches.changed() => if !open { break },
            }
            continue;
        };
        let slots = slots.of(reader.window);
        let failed = match subscribe(&owned, &reader, lane, attempt > 0).await {
            Ok(mut stream) => {
                attempt = 0;
                let until = async {
                    while watches.reader(&owned, lane).as_ref() == Some(&reader) && watches.changed().await {}
                };
                let taken = tokio::select! {
                    taken = lane::take(&owned, &mut *stream, &slots, &mut jobs, &limited) => taken,
                    () = until => Ok(()),
                };
                if let Err(error) = end(&owned, &mut *stream, &mut jobs).await {
                    tracing::debug!(session = %owned.id(), pool = %reader.pool, %lane, error = %error.chain(), "the pool's stream did not close well");
                }
                taken
            }
            Err(error) => Err(error),
        };
        if let Err(error) = failed {
            attempt += 1;
            tracing::warn!(session = %owned.id(), pool = %reader.pool, %lane, attempt, error = %error.chain(), "the pool's queue can't be read; trying again");
            lane::pause(&owned, attempt, &error).await;
        }
    }
    lane::finish(&owned, jobs).await
}

/// Ends a subscription. Who was cut off can't send what it has, and gives it to the others at once; those jobs that it tells so
/// itself come to them with what was learned of them.
async fn end(owned: &Owned, stream: &mut dyn JobStream, jobs: &mut JoinSet<()>) -> Result<(), PortError> {
    if *owned.link.borrow() {
        return stream.close().await;
    }
    lane::ended(owned, jobs, TO_TELL).await;
    stream.cut().await
}

/// How the session reads its pool's queue now; another subscription is needed when that changes.
#[derive(Debug, PartialEq, Eq)]
struct Reader {
    pool: PoolId,
    priority: u8,
    /// How many jobs it takes at a time.
    window: u16,
}

/// What decides whether the session reads its pool's queue.
struct Watches {
    pool: watch::Receiver<Option<PoolId>>,
    link: watch::Receiver<bool>,
    standings: watch::Receiver<Standings>,
    limits: watch::Receiver<OwnLimits>,
}

impl Watches {
    fn new(owned: &Owned) -> Self {
        Self {
            pool: owned.pool.clone(),
            link: owned.link.clone(),
            standings: owned.turnstile.standings(),
            limits: owned.limits.subscribe(),
        }
    }

    fn reader(&mut self, owned: &Owned, lane: Lane) -> Option<Reader> {
        self.limits.mark_unchanged();
        let window = lane::fitting(owned.shared.options.window(lane), owned.pace().every, HELD);
        let pool = self.pool.borrow_and_update().clone()?;
        if !*self.link.borrow_and_update() {
            return None;
        }
        match self.standings.borrow_and_update().of(lane) {
            Standing::Open { priority } => Some(Reader { pool, priority, window }),
            Standing::Shut { .. } => None,
        }
    }

    /// Waits for a change; `false` when there will be none.
    async fn changed(&mut self) -> bool {
        let changed = tokio::select! {
            changed = self.pool.changed() => changed,
            changed = self.link.changed() => changed,
            changed = self.standings.changed() => changed,
            changed = self.limits.changed() => changed,
        };
        changed.is_ok()
    }
}

/// Subscribes. After a refusal (`again`) the queues are declared first, since somebody may have deleted them.
async fn subscribe(owned: &Owned, reader: &Reader, lane: Lane, again: bool) -> Result<Box<dyn JobStream>, PortError> {
    let pools = &owned.shared.ports.pools;
    if again {
        pools.declare_pool(&reader.pool).await?;
    }
    pools.subscribe_pool(&reader.pool, lane, Share { window: reader.window, priority: reader.priority }).await
}
