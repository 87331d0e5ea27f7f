//! The way of events into the log, where they come through a broker.

use async_trait::async_trait;

use super::PortError;
use crate::domain::OutboxEvent;

/// A durable queue of every event that was published, for those who keep the log.
#[async_trait]
pub trait EventFeed: Send + Sync {
    /// Takes part in reading it. Several may; each event is with one of them until that one has acknowledged it or is gone.
    async fn take_part(&self) -> Result<Box<dyn EventIntake>, PortError>;
}

/// One reader's part. Dropping it gives back what was not acknowledged.
#[async_trait]
pub trait EventIntake: Send {
    /// Waits for an event, and gives with it what is at hand, at most `most`; `None` once the feed is closed. An event may
    /// come again. One that can't be read is skipped. Cancel-safe.
    async fn next(&mut self, most: usize) -> Result<Option<Vec<OutboxEvent>>, PortError>;

    /// Everything that was handed out so far is kept: it does not come again.
    async fn kept(&mut self) -> Result<(), PortError>;
}
