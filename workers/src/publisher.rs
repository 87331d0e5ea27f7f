//! Publishes a worker's own events as soon as they are in the outbox, many at once, and takes them out of it.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{EventId, EventKind, OutboxEvent};
use kurir_core::policy::Backoff;
use kurir_core::port::{Entropy, EventSink, Outbox, PortError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::crash_point::{Crash, CrashPoint};
use crate::group::Group;

/// Most publications gathered for one round.
const MOST: usize = 256;

/// Pauses between tries while the broker does not take events.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };

/// The way out for events. Cloning gives another entrance.
#[derive(Clone)]
pub(crate) struct Publisher {
    group: Group<Vec<OutboxEvent>, ()>,
    healthy: watch::Receiver<bool>,
    /// What nobody waits for, but a stop.
    background: TaskTracker,
}

impl Publisher {
    /// Starts it. After `stop` it tries each publication once and leaves what fails to the relay.
    pub(crate) fn start(
        sink: Arc<dyn EventSink>,
        outbox: Arc<dyn Outbox>,
        entropy: Arc<dyn Entropy>,
        stop: CancellationToken,
        crash: Crash,
    ) -> Self {
        let (health, healthy) = watch::channel(true);
        let forget = Group::start("the clean-up of the outbox", MOST, move |ids: Vec<Vec<EventId>>| {
            let outbox = Arc::clone(&outbox);
            async move {
                let count = ids.len();
                outbox.published(&ids.concat()).await?;
                Ok(vec![(); count])
            }
        });
        let background = TaskTracker::new();
        let tasks = background.clone();
        let group = Group::start("the publisher of events", MOST, move |batches: Vec<Vec<OutboxEvent>>| {
            let (sink, entropy, forget) = (Arc::clone(&sink), Arc::clone(&entropy), forget.clone());
            let (health, stop, tasks, crash) = (health.clone(), stop.clone(), tasks.clone(), crash.clone());
            async move {
                let count = batches.len();
                let events = batches.concat();
                publish(&*sink, &*entropy, &events, &health, &stop).await?;
                if events.iter().any(|event| event.kind == EventKind::MessageSent) {
                    crash.pass(CrashPoint::EventConfirmed);
                }
                let ids = events.iter().map(|event| event.id).collect();
                // Nobody waits for the clean-up: what it misses, the relay publishes once more under the same id.
                tasks.spawn(async move {
                    if let Err(error) = forget.write(ids).await {
                        tracing::warn!(error = %error.chain(), "published events stay in the outbox; the relay repeats them");
                    }
                });
                Ok(vec![(); count])
            }
        });
        Self { group, healthy, background }
    }

    /// Publishes events that are in the outbox already; returns once they are confirmed. An error means that the
    /// worker is stopping and the relay will do it.
    pub(crate) async fn publish(&self, events: Vec<OutboxEvent>) -> Result<(), PortError> {
        if events.is_empty() {
            return Ok(());
        }
        self.group.write(events).await
    }

    /// Publishes events without waiting for the broker; they are in the outbox, so nothing is lost if it fails.
    pub(crate) fn publish_later(&self, events: Vec<OutboxEvent>) {
        // While the broker is away the relay has them: waiting here would gather without bound.
        if events.is_empty() || !self.is_healthy() {
            return;
        }
        // Handed in here and not in the task: tasks start in any order, and one message's events would come out mixed up.
        let published = self.group.begin(events);
        self.background.spawn(async move {
            if let Err(error) = published.await {
                tracing::debug!(error = %error.chain(), "events are left to the relay");
            }
        });
    }

    /// Waits until all that was handed in is published, or given up because of the stop; at most this long.
    pub(crate) async fn drain(&self, deadline: Duration) {
        self.background.close();
        // What is left stays in the outbox.
        let _ = tokio::time::timeout(deadline, self.background.wait()).await;
    }

    /// Whether events can be published, as far as it is known.
    pub(crate) fn is_healthy(&self) -> bool {
        *self.healthy.borrow()
    }

    /// Waits until events can be published; as long as they can't, nothing new should be sent.
    pub(crate) async fn healthy(&self) {
        // The publisher's task is gone: the worker is stopping, and its own signal ends the wait of the caller.
        let _ = self.healthy.clone().wait_for(|healthy| *healthy).await;
    }
}

async fn publish(
    sink: &dyn EventSink,
    entropy: &dyn Entropy,
    events: &[OutboxEvent],
    health: &watch::Sender<bool>,
    stop: &CancellationToken,
) -> Result<(), PortError> {
    let mut attempt = 0;
    loop {
        match sink.publish(events).await {
            Ok(()) => {
                health.send_if_modified(|healthy| !std::mem::replace(healthy, true));
                return Ok(());
            }
            Err(error) => {
                attempt += 1;
                if health.send_if_modified(|healthy| std::mem::replace(healthy, false)) {
                    tracing::warn!(error = %error.chain(), "events can't be published; sending pauses");
                }
                let pause = BACKOFF.delay(attempt, entropy.fraction());
                tokio::select! {
                    () = stop.cancelled() => return Err(error),
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}
