//! The taking side of the job queues within one process: streams and settlements.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::jobs::{Item, Place, Queue, Shared, Taken};
use super::lock;
use crate::domain::Target;
use crate::port::{DeadLetter, Delivery, JobHeaders, JobStream, PortError, Settle, Settled};

/// How long to believe that the clock goes on by itself: one that is moved by hand tells nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(super) struct MemoryJobStream {
    shared: Arc<Shared>,
    place: Place,
    consumer: u64,
    changed: Arc<Notify>,
    closed: bool,
}

impl MemoryJobStream {
    pub(super) const fn new(shared: Arc<Shared>, place: Place, consumer: u64, changed: Arc<Notify>) -> Self {
        Self { shared, place, consumer, changed, closed: false }
    }

    /// Makes room for the next consumer and gives back what nobody can settle.
    fn end(&mut self) {
        self.closed = true;
        let mut state = lock(&self.shared.state);
        let Some(queue) = state.queues.get_mut(&self.place) else { return };
        queue.consumers.retain(|consumer| consumer.id != self.consumer);
        let consumer = self.consumer;
        let orphans = queue.unsettled.extract_if(|_, unsettled| unsettled.orphan && unsettled.consumer == consumer);
        let orphans: Vec<Item> = orphans.map(|(_, unsettled)| unsettled.item).collect();
        queue.ready.extend(orphans.into_iter().map(|item| (item.order, item)));
        queue.changed.notify_waiters();
    }
}

impl Drop for MemoryJobStream {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whoever waits for a job is served in its turn, and nobody else: one who does not ask must not stop the others.
struct Asks {
    shared: Arc<Shared>,
    place: Place,
    consumer: u64,
}

impl Asks {
    fn new(stream: &MemoryJobStream) -> Self {
        let asks = Self { shared: stream.shared.clone(), place: stream.place.clone(), consumer: stream.consumer };
        asks.set(true);
        asks
    }

    fn set(&self, asks: bool) {
        let mut state = lock(&self.shared.state);
        let Some(queue) = state.queues.get_mut(&self.place) else { return };
        if let Some(consumer) = queue.consumers.iter_mut().find(|consumer| consumer.id == self.consumer) {
            consumer.asks = asks;
        }
        if !asks && !queue.ready.is_empty() {
            queue.changed.notify_waiters();
        }
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[async_trait]
impl JobStream for MemoryJobStream {
    async fn next(&mut self) -> Result<Option<Delivery>, PortError> {
        let _asks = Asks::new(self);
        loop {
            if self.closed {
                return Ok(None);
            }
            // Made before the look, so that what changes after the look is not missed.
            let changed = self.changed.notified();
            let now = self.shared.clock.boot();
            let taken = lock(&self.shared.state).take(&self.place, self.consumer, now);
            match taken {
                // From here to the return nothing waits: what was taken is never lost by a dropped call.
                Taken::Job { tag, body, headers } => {
                    let (target, lane) = self.place.clone();
                    let settle = MemorySettle {
                        shared: self.shared.clone(),
                        place: self.place.clone(),
                        consumer: self.consumer,
                        tag,
                    };
                    return Ok(Some(Delivery { target, lane, body, headers, settle: Box::new(settle) }));
                }
                Taken::Nothing { due: Some(due) } => {
                    // Either way there is a reason to look again.
                    let _ = timeout(due.min(LOOK_AGAIN), changed).await;
                }
                Taken::Nothing { due: None } => changed.await,
                Taken::Removed => return Err(PortError::Closed("a queue that was removed")),
            }
        }
    }

    async fn close(&mut self) -> Result<(), PortError> {
        self.end();
        Ok(())
    }
}

struct MemorySettle {
    shared: Arc<Shared>,
    place: Place,
    consumer: u64,
    tag: u64,
}

impl MemorySettle {
    /// Takes the job out of the unsettled ones and lets `then` put it where it goes.
    fn settle(&self, then: impl FnOnce(&mut Queue, Item)) -> Settled {
        let mut state = lock(&self.shared.state);
        let Some(queue) = state.queues.get_mut(&self.place) else { return Settled::Stale };
        let Some(unsettled) = queue.unsettled.remove(&self.tag) else { return Settled::Stale };
        then(queue, unsettled.item);
        // There is room in the window now, and perhaps a job.
        queue.changed.notify_waiters();
        Settled::Yes
    }
}

impl Drop for MemorySettle {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        let Some(queue) = state.queues.get_mut(&self.place) else { return };
        if queue.consumers.iter().any(|consumer| consumer.id == self.consumer) {
            if let Some(unsettled) = queue.unsettled.get_mut(&self.tag) {
                unsettled.orphan = true;
            }
        } else if let Some(unsettled) = queue.unsettled.remove(&self.tag) {
            queue.ready.insert(unsettled.item.order, unsettled.item);
            queue.changed.notify_waiters();
        }
    }
}

#[async_trait]
impl Settle for MemorySettle {
    async fn ack(self: Box<Self>) -> Result<Settled, PortError> {
        Ok(self.settle(|_, _| ()))
    }

    async fn park(self: Box<Self>, delay: Duration, headers: JobHeaders) -> Result<Settled, PortError> {
        let due = self.shared.clock.boot().saturating_add(delay);
        let tag = self.tag;
        Ok(self.settle(|queue, item| {
            queue.parked.insert((due, tag), Item { headers, ..item });
        }))
    }

    async fn pass(self: Box<Self>, to: &Target, delay: Duration, headers: JobHeaders) -> Result<Settled, PortError> {
        let (boot, now) = (self.shared.clock.boot(), self.shared.clock.now());
        let mut passed = None;
        let settled = self.settle(|_, item| passed = Some(Item { headers, ..item }));
        if let Some(item) = passed {
            let (mut state, lane) = (lock(&self.shared.state), self.place.1);
            if let Some(queue) = state.queues.get_mut(&(to.clone(), lane)) {
                // Its tag is as unique in the other queue as it was in this one.
                queue.parked.insert((boot.saturating_add(delay), self.tag), item);
                queue.changed.notify_waiters();
            } else {
                state.bury(&(to.clone(), lane), item, DeadLetter::target_gone(), now);
            }
        }
        Ok(settled)
    }

    async fn dead(self: Box<Self>, letter: DeadLetter) -> Result<Settled, PortError> {
        let now = self.shared.clock.now();
        let mut dead = None;
        let settled = self.settle(|_, item| dead = Some(item));
        if let Some(item) = dead {
            lock(&self.shared.state).bury(&self.place, item, letter, now);
        }
        Ok(settled)
    }

    async fn release(self: Box<Self>) -> Result<Settled, PortError> {
        Ok(self.settle(|queue, item| {
            queue.ready.insert(item.order, item);
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Lane, SessionId, Timestamp};
    use crate::memory::{ManualClock, MemoryJobQueue};
    use crate::port::{JobQueue, PublishJob};

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_delay_goes_by_the_clock_that_was_given() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let queue = MemoryJobQueue::new(clock.clone());
        let session = SessionId::new("s").unwrap();
        queue.declare(&session).await.unwrap();
        let job = PublishJob {
            target: Target::Session(session.clone()),
            lane: Lane::Otp,
            body: b"1".to_vec(),
            headers: JobHeaders::default(),
        };
        queue.publish(vec![job]).await.unwrap();
        let mut stream = queue.subscribe(&session, Lane::Otp, 1).await.unwrap();
        let delivery = stream.next().await.unwrap().unwrap();
        assert_eq!(delivery.settle.park(HOUR, JobHeaders::default()).await.unwrap(), Settled::Yes);
        clock.advance(HOUR.saturating_sub(Duration::from_millis(1)));
        assert_eq!(queue.depth(&session, Lane::Otp).await.unwrap(), 0);
        let waiting = tokio::spawn(async move { stream.next().await.unwrap().unwrap().body });
        clock.advance(Duration::from_millis(1));
        let body = timeout(Duration::from_secs(10), waiting).await.expect("it is due").unwrap();
        assert_eq!(body, b"1");
    }

    #[tokio::test]
    async fn a_stream_of_removed_queues_ends_with_an_error() {
        let queue = MemoryJobQueue::new(Arc::new(ManualClock::new(Timestamp::from_millis(0))));
        let session = SessionId::new("s").unwrap();
        assert!(queue.subscribe(&session, Lane::Otp, 1).await.is_err(), "nothing was declared");
        queue.declare(&session).await.unwrap();
        let mut stream = queue.subscribe(&session, Lane::Otp, 1).await.unwrap();
        queue.remove(&session).await.unwrap();
        assert!(matches!(stream.next().await, Err(PortError::Closed(_))));
    }
}
