//! Carries events from the broker's durable queue into the log of events.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::OutboxEvent;
use kurir_core::policy::Backoff;
use kurir_core::port::{Entropy, EventFeed, EventIntake, EventLog, PortError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Most events of one commit.
const MOST: usize = 500;

/// Pauses while the queue or the log does not answer.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_secs(10) };

/// What the keeper of the log is given.
#[derive(Clone)]
pub struct LogKeeperPorts {
    /// Where events wait.
    pub feed: Arc<dyn EventFeed>,
    /// Where they go.
    pub log: Arc<dyn EventLog>,
    /// Randomness, for pauses.
    pub entropy: Arc<dyn Entropy>,
}

/// A running keeper of the log. Several may run: an event that two append is kept once.
pub struct LogKeeper {
    stop: CancellationToken,
    task: JoinHandle<u64>,
}

impl LogKeeper {
    /// Starts to carry events.
    pub fn start(ports: LogKeeperPorts) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(ports, stop.clone()));
        Self { stop, task }
    }

    /// Stops after the batch at hand, or at the deadline; what was not kept stays in its queue. Tells how many events were
    /// carried.
    pub async fn stop(self, deadline: Duration) -> Option<u64> {
        self.stop.cancel();
        let abort = self.task.abort_handle();
        if let Ok(carried) = tokio::time::timeout(deadline, self.task).await {
            return carried.ok();
        }
        abort.abort();
        None
    }
}

async fn run(ports: LogKeeperPorts, stop: CancellationToken) -> u64 {
    let (mut carried, mut failures) = (0, 0);
    while !stop.is_cancelled() {
        let before = carried;
        match carry(&ports, &stop, &mut carried).await {
            Ok(()) => return carried,
            Err(error) => {
                failures = if carried > before { 1 } else { failures + 1 };
                tracing::warn!(error = %error.chain(), "events can't be carried into the log; they wait in their queue");
                let pause = BACKOFF.delay(failures, ports.entropy.fraction());
                let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
        }
    }
    carried
}

/// Carries until the stop or the end of the feed.
async fn carry(ports: &LogKeeperPorts, stop: &CancellationToken, carried: &mut u64) -> Result<(), PortError> {
    let mut part = ports.feed.take_part().await?;
    while let Some(next) = stop.run_until_cancelled(part.next(MOST)).await {
        let Some(events) = next? else { return Ok(()) };
        keep(ports, &mut part, &events).await?;
        *carried += events.len() as u64;
    }
    Ok(())
}

async fn keep(
    ports: &LogKeeperPorts,
    part: &mut Box<dyn EventIntake>,
    events: &[OutboxEvent],
) -> Result<(), PortError> {
    ports.log.append(events).await?;
    // If this fails they come again, and are known by their ids.
    part.kept().await
}
