//! Back-pressure: how much room a queue has.
//!
//! The depth of a queue is looked at once a moment and not once a request; what was let in since the look is added to it,
//! so that no burst goes far over the cap between two looks. A queue whose depth can't be told has room: whether it takes
//! the job is then its own word.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kurir_core::domain::{Lane, Target};
use kurir_core::port::{Clock, JobQueue, PoolQueue, PortError};

use super::GatewayPorts;

/// How long a look at a queue's depth is believed.
const FRESH: Duration = Duration::from_secs(1);

/// How many queues are remembered; beyond that it begins anew.
const REMEMBERED: usize = 10_000;

/// Most jobs that may wait in a queue by lane; 0: no such cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCaps {
    /// In the otp lane of a session or pool.
    pub otp: u64,
    /// In its bulk lane.
    pub bulk: u64,
}

/// What is known of a queue.
#[derive(Clone, Copy, Default)]
struct Known {
    /// When it was looked at last, on the clock that never goes back; `None`: never.
    at: Option<Duration>,
    depth: u64,
    /// Let in since then.
    since: u64,
}

/// The room in all queues. A clone is the same.
#[derive(Clone)]
pub(super) struct QueueRoom {
    caps: QueueCaps,
    jobs: Arc<dyn JobQueue>,
    pools: Arc<dyn PoolQueue>,
    clock: Arc<dyn Clock>,
    known: Arc<Mutex<HashMap<(Target, Lane), Known>>>,
}

impl QueueRoom {
    pub fn new(caps: QueueCaps, jobs: Arc<dyn JobQueue>, pools: Arc<dyn PoolQueue>, clock: Arc<dyn Clock>) -> Self {
        Self { caps, jobs, pools, clock, known: Arc::default() }
    }

    /// Over a gateway's ports.
    pub fn of(ports: &GatewayPorts, caps: QueueCaps) -> Self {
        Self::new(caps, Arc::clone(&ports.jobs), Arc::clone(&ports.pools), Arc::clone(&ports.clock))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Target, Lane), Known>> {
        // Nothing panics while it holds the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for `wanted` jobs in a queue; tells for how many there is some.
    pub async fn take(&self, target: &Target, lane: Lane, wanted: u64) -> u64 {
        let cap = match lane {
            Lane::Otp => self.caps.otp,
            Lane::Bulk => self.caps.bulk,
        };
        if cap == 0 || wanted == 0 {
            return wanted;
        }
        let (key, now) = ((target.clone(), lane), self.clock.boot());
        if self.is_due(&key, now) {
            let before = self.known().get(&key).map_or(0, |known| known.since);
            match self.depth(target, lane).await {
                Ok(depth) => {
                    if let Some(known) = self.known().get_mut(&key) {
                        // Whoever was let in meanwhile may not be in that depth yet.
                        (known.depth, known.since) = (depth, known.since.saturating_sub(before));
                    }
                }
                Err(error) => {
                    let queue = target.routing_key(lane);
                    tracing::debug!(queue, error = error.chain(), "a queue's depth can't be told");
                }
            }
        }
        let mut known = self.known();
        let known = known.entry(key).or_default();
        let room = cap.saturating_sub(known.depth.saturating_add(known.since)).min(wanted);
        known.since = known.since.saturating_add(room);
        room
    }

    /// Whether to look now. Who is told so is the only one for a moment; all others go by what is known.
    fn is_due(&self, key: &(Target, Lane), now: Duration) -> bool {
        let mut all = self.known();
        if all.len() >= REMEMBERED && !all.contains_key(key) {
            all.clear();
        }
        let known = all.entry(key.clone()).or_default();
        let due = known.at.is_none_or(|at| now.saturating_sub(at) >= FRESH);
        if due {
            known.at = Some(now);
        }
        due
    }

    async fn depth(&self, target: &Target, lane: Lane) -> Result<u64, PortError> {
        match target {
            Target::Session(session) => self.jobs.depth(session, lane).await,
            Target::Pool(pool) => self.pools.pool_depth(pool, lane).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use kurir_core::domain::{SessionId, Timestamp};
    use kurir_core::memory::{ManualClock, MemoryJobQueue};
    use kurir_core::port::{JobHeaders, PublishJob};

    use super::*;

    #[tokio::test]
    async fn a_queue_has_room_up_to_its_cap_and_again_when_it_was_read() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let queue = Arc::new(MemoryJobQueue::new(clock.clone()));
        let session = SessionId::new("s1").unwrap();
        queue.declare(&session).await.unwrap();
        let caps = QueueCaps { otp: 0, bulk: 10 };
        let room = QueueRoom::new(caps, queue.clone(), queue.clone(), clock.clone());
        let target = Target::from(&session);
        let job =
            PublishJob { target: target.clone(), lane: Lane::Bulk, body: Vec::new(), headers: JobHeaders::default() };
        queue.publish(vec![job; 4]).await.unwrap();
        assert_eq!(room.take(&target, Lane::Otp, 1000).await, 1000, "no cap");
        assert_eq!(room.take(&target, Lane::Bulk, 5).await, 5);
        // Without another look: the five are on their way.
        assert_eq!(room.take(&target, Lane::Bulk, 5).await, 1);
        assert_eq!(room.take(&target, Lane::Bulk, 1).await, 0);
        clock.advance(FRESH);
        assert_eq!(room.take(&target, Lane::Bulk, 100).await, 6, "they never came");
        let gone = Target::from(&SessionId::new("nobodys").unwrap());
        assert_eq!(room.take(&gone, Lane::Bulk, 3).await, 3);
    }
}
