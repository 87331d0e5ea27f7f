//! The log of recent events: what streams resume from and webhooks are fed and replayed from.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{LogFilter, LogPosition, LoggedEvent, OutboxEvent, Timestamp};

/// A piece of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// What the filter let through, in order.
    pub events: Vec<LoggedEvent>,
    /// How far the log was looked through: the next piece begins after it. Never before where this one began.
    pub to: LogPosition,
}

/// The ends of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSpan {
    /// Its oldest entry.
    pub oldest: LogPosition,
    /// Its newest entry.
    pub newest: LogPosition,
}

/// A durable log of the recent events of all tenants. Whoever has read up to a position has seen every entry before it: none
/// appears there later, however many append at once.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends events, in order and in one commit. One that is there already (by its id) stays as it is. What links a session
    /// is left out of the bodies; bodies are sealed where they are kept on a disk.
    async fn append(&self, events: &[OutboxEvent]) -> Result<(), PortError>;

    /// The next events after a position that the filter lets through, at most `limit`.
    async fn read(&self, after: LogPosition, filter: &LogFilter, limit: u32) -> Result<LogPage, PortError>;

    /// The entries at these positions, in order; `None` for those that are not there (any more).
    async fn at(&self, positions: &[LogPosition]) -> Result<Vec<Option<LoggedEvent>>, PortError>;

    /// The position of the last entry that came before this moment: what came at it or later stands after it.
    async fn before(&self, moment: Timestamp) -> Result<LogPosition, PortError>;

    /// Its ends; `None` while it is empty.
    async fn span(&self) -> Result<Option<LogSpan>, PortError>;

    /// Removes entries that came before this moment, the oldest first, at most `limit`. Tells how many.
    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError>;
}
