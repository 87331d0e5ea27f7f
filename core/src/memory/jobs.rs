//! The job queues within one process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::jobs_stream::MemoryJobStream;
use super::lock;
use crate::domain::{FailReason, Lane, PoolId, SessionId, Target, Timestamp};
use crate::port::{
    Clock, DeadId, DeadJob, DeadLetter, Enqueued, JobHeaders, JobQueue, JobStream, PoolQueue, PortError, PublishJob,
    Share,
};

/// How many dead letters are kept; the oldest go first.
const DEAD_KEPT: usize = 10_000;

/// Which queue.
pub(super) type Place = (Target, Lane);

/// A job in a queue.
pub(super) struct Item {
    /// Its place in the queue's order. It keeps it when it is given back, and gets a new one when it was parked.
    pub(super) order: u64,
    pub(super) body: Vec<u8>,
    pub(super) headers: JobHeaders,
}

/// A job that was handed out.
pub(super) struct Unsettled {
    pub(super) item: Item,
    pub(super) consumer: u64,
    /// Nobody can settle it any more: it goes back when its consumer ends.
    pub(super) orphan: bool,
}

/// One who takes jobs.
pub(super) struct Consumer {
    pub(super) id: u64,
    pub(super) window: u16,
    /// Among those who share a pool; `None` in a session's queue, where the first one takes all.
    pub(super) priority: Option<u8>,
    /// When it got its last job.
    served: u64,
    /// Whether it waits for one.
    pub(super) asks: bool,
}

/// One lane of one session or pool.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) ready: BTreeMap<u64, Item>,
    /// By the boot time at which they come back, and a number that tells apart those of one moment.
    pub(super) parked: BTreeMap<(Duration, u64), Item>,
    /// By tag.
    pub(super) unsettled: HashMap<u64, Unsettled>,
    /// Those that listen, the active one first.
    pub(super) consumers: VecDeque<Consumer>,
    /// Told whenever there may be something for a consumer that waits.
    pub(super) changed: Arc<Notify>,
}

impl Queue {
    /// Brings back what was parked until now.
    fn promote(&mut self, now: Duration, next: &mut u64) {
        while let Some(due) = self.parked.first_entry().filter(|due| due.key().0 <= now) {
            let item = due.remove();
            self.ready.insert(*next, Item { order: *next, ..item });
            *next += 1;
        }
    }

    /// The next job for a consumer, if it is the active one and has room in its window.
    fn hand_out(&mut self, consumer: u64, turn: u64) -> Option<Item> {
        let unsettled = &self.unsettled;
        let has_room = |consumer: &&mut Consumer| {
            let out = unsettled.values().filter(|unsettled| unsettled.consumer == consumer.id).count();
            consumer.asks && out < usize::from(consumer.window.max(1))
        };
        let shared = self.consumers.front().is_some_and(|first| first.priority.is_some());
        let bound = if shared { usize::MAX } else { 1 };
        let ready = self.consumers.iter_mut().take(bound).filter(has_room);
        let next = ready.max_by_key(|ready| (ready.priority, std::cmp::Reverse(ready.served)))?;
        if next.id != consumer {
            return None;
        }
        let (_, item) = self.ready.pop_first()?;
        next.served = turn;
        Some(item)
    }
}

/// What a queue gave to a consumer.
pub(super) enum Taken {
    /// A job, to be settled under this tag.
    Job { tag: u64, body: Vec<u8>, headers: JobHeaders },
    /// Nothing for this consumer now; how long until something parked comes back, if anything is.
    Nothing { due: Option<Duration> },
    /// There is no such queue any more.
    Removed,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queues: HashMap<Place, Queue>,
    /// What makes orders, consumers and tags; one counter serves all.
    next: u64,
    pub(super) dead: VecDeque<DeadJob>,
}

impl State {
    pub(super) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Hands out the next job of a queue under a new tag.
    pub(super) fn take(&mut self, place: &Place, consumer: u64, now: Duration) -> Taken {
        let tag = self.fresh();
        // Numbers for what comes back are taken from here on.
        self.next += 1;
        let Some(queue) = self.queues.get_mut(place) else { return Taken::Removed };
        queue.promote(now, &mut self.next);
        let Some(item) = queue.hand_out(consumer, tag) else {
            return Taken::Nothing { due: queue.parked.keys().next().map(|(due, _)| due.saturating_sub(now)) };
        };
        let (body, headers) = (item.body.clone(), item.headers.clone());
        queue.unsettled.insert(tag, Unsettled { item, consumer, orphan: false });
        Taken::Job { tag, body, headers }
    }

    pub(super) fn bury(&mut self, (target, lane): &Place, item: Item, letter: DeadLetter, at: Timestamp) {
        if self.dead.len() >= DEAD_KEPT {
            self.dead.pop_front();
        }
        let id = DeadId(self.fresh().to_string());
        let (key, reason) = (target.routing_key(*lane), letter.reason.to_string());
        let (headers, body) = (item.headers, item.body);
        self.dead.push_back(DeadJob { id, key, reason, detail: letter.detail, at: Some(at), headers, body });
    }

    /// Puts a job behind those of its queue, if there is such a queue.
    pub(super) fn put(&mut self, target: &Target, lane: Lane, body: Vec<u8>, headers: JobHeaders) -> Enqueued {
        let order = self.fresh();
        let Some(queue) = self.queues.get_mut(&(target.clone(), lane)) else { return Enqueued::NoSuchTarget };
        queue.ready.insert(order, Item { order, body, headers });
        queue.changed.notify_waiters();
        Enqueued::Accepted
    }
}

/// What the queue shares with its streams and deliveries.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) state: Mutex<State>,
}

/// The queues of one process, for tests: what is put in stays until it is taken out, so it has no bound.
#[derive(Clone)]
pub struct MemoryJobQueue {
    pub(super) shared: Arc<Shared>,
}

impl MemoryJobQueue {
    /// No queues yet. Delays are counted by the clock's boot time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { clock, state: Mutex::default() }) }
    }

    /// The dead letters with the bodies of their jobs, oldest first.
    pub fn dead_letters(&self) -> Vec<(Vec<u8>, DeadLetter)> {
        let letter = |dead: &DeadJob| {
            let reason = FailReason::parse(&dead.reason)?;
            Some((dead.body.clone(), DeadLetter { reason, detail: dead.detail.clone() }))
        };
        lock(&self.shared.state).dead.iter().filter_map(letter).collect()
    }
}

impl MemoryJobQueue {
    fn make(&self, target: &Target) {
        let mut state = lock(&self.shared.state);
        for lane in Lane::ALL {
            state.queues.entry((target.clone(), lane)).or_default();
        }
    }

    fn drop_queues(&self, target: &Target) {
        let mut state = lock(&self.shared.state);
        for lane in Lane::ALL {
            if let Some(queue) = state.queues.remove(&(target.clone(), lane)) {
                queue.changed.notify_waiters();
            }
        }
    }

    /// How many wait for a job of a lane at this moment.
    pub fn takers(&self, target: Target, lane: Lane) -> usize {
        let state = lock(&self.shared.state);
        state.queues.get(&(target, lane)).map_or(0, |queue| queue.consumers.iter().filter(|one| one.asks).count())
    }

    fn stream(
        &self,
        target: Target,
        lane: Lane,
        window: u16,
        priority: Option<u8>,
    ) -> Result<Box<dyn JobStream>, PortError> {
        let place = (target, lane);
        let mut state = lock(&self.shared.state);
        let id = state.fresh();
        let queue = state.queues.get_mut(&place).ok_or_else(|| PortError::Refused {
            system: "the job queue in memory",
            action: "a subscription",
            source: format!("there is no queue {}; declare it first", place.0.routing_key(lane)).into(),
        })?;
        queue.consumers.push_back(Consumer { id, window, priority, served: 0, asks: false });
        Ok(Box::new(MemoryJobStream::new(self.shared.clone(), place, id, queue.changed.clone())))
    }

    fn count(&self, target: Target, lane: Lane) -> u64 {
        let now = self.shared.clock.boot();
        let state = lock(&self.shared.state);
        let Some(queue) = state.queues.get(&(target, lane)) else { return 0 };
        let due = queue.parked.keys().take_while(|(due, _)| *due <= now).count();
        (queue.ready.len() + due) as u64
    }
}

#[async_trait]
impl JobQueue for MemoryJobQueue {
    async fn declare(&self, session: &SessionId) -> Result<(), PortError> {
        self.make(&session.into());
        Ok(())
    }

    async fn remove(&self, session: &SessionId) -> Result<(), PortError> {
        self.drop_queues(&session.into());
        Ok(())
    }

    async fn publish(&self, jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, PortError> {
        let now = self.shared.clock.now();
        let mut state = lock(&self.shared.state);
        let answers = jobs.into_iter().map(|job| {
            let headers = JobHeaders { enqueued_at: Some(now), ..job.headers };
            state.put(&job.target, job.lane, job.body, headers)
        });
        Ok(answers.collect())
    }

    async fn subscribe(&self, session: &SessionId, lane: Lane, window: u16) -> Result<Box<dyn JobStream>, PortError> {
        self.stream(session.into(), lane, window, None)
    }

    async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError> {
        Ok(self.count(session.into(), lane))
    }
}

#[async_trait]
impl PoolQueue for MemoryJobQueue {
    async fn declare_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        self.make(&pool.into());
        Ok(())
    }

    async fn remove_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        self.drop_queues(&pool.into());
        Ok(())
    }

    async fn subscribe_pool(&self, pool: &PoolId, lane: Lane, share: Share) -> Result<Box<dyn JobStream>, PortError> {
        self.stream(pool.into(), lane, share.window, Some(share.priority))
    }

    async fn pool_depth(&self, pool: &PoolId, lane: Lane) -> Result<u64, PortError> {
        Ok(self.count(pool.into(), lane))
    }
}
