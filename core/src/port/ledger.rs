//! The job ledger and the outbox: one durable place, one transaction for a fact and the events that tell it.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{
    EventId, Fence, JobKey, LedgerEntry, MessageId, OutboxEvent, PhoneNumber, SessionId, Spent, Timestamp,
};

/// One write. All of it happens or nothing.
#[derive(Clone, Debug)]
pub struct LedgerWrite {
    /// Under which ownership; `None` for the gateway, which moves only entries that wait (queued or delayed), and
    /// against a worker by the version alone.
    pub fence: Option<Fence>,
    /// The new entry. Its `version` is the one it was made from (0: there must be no entry yet); the store writes
    /// `version + 1`.
    pub entry: LedgerEntry,
    /// What it spends of the sender's limits, to be saved with it. Counts only under a fence; a state that is older
    /// than the saved one (by its `turn`) leaves that as it is.
    pub spent: Option<Spent>,
    /// The events that tell of it; they enter the outbox only if the entry is written.
    pub events: Vec<OutboxEvent>,
}

/// What became of a guarded write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is durable.
    Done,
    /// Another write came first: read again and decide again.
    Conflict,
    /// The session belongs to somebody else by now: the writer must stop at once.
    Fenced,
}

/// The record of every job.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Carries out many writes in one commit; each is done or refused by itself, the answers are in order. Two writes
    /// to one entry in one call are allowed and see each other.
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError>;

    /// The entries of these jobs, in order.
    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError>;

    /// The entries that these messages of a session belong to, in order.
    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError>;

    /// The open entries of a session, at most `limit`, in any order.
    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError>;

    /// Whether the session has met these recipients, in order: whether a write that was done named them as
    /// [`Spent::met`]. What is known goes with the session, never with its jobs' entries.
    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError>;

    /// Removes entries that were last written before this moment and are not open; at most `limit`. Tells how many.
    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError>;
}

/// How much waits in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many events, at most [`Backlog::MOST`].
    pub events: u64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
}

impl Backlog {
    /// As far as a backlog is counted.
    pub const MOST: u32 = 100_000;
}

/// Events that wait for the broker.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The oldest events written before `before`, at most `limit`, in the order of writing. The age keeps the relay
    /// from competing with the worker that publishes its own rows at once.
    async fn pending(&self, before: Timestamp, limit: u32) -> Result<Vec<OutboxEvent>, PortError>;

    /// These are confirmed by the broker: they are removed. Unknown ids are no error.
    async fn published(&self, ids: &[EventId]) -> Result<(), PortError>;

    /// Puts events into the outbox that tell of no stored fact, or of one stored elsewhere. An id that is there
    /// already is kept as it is.
    async fn add(&self, events: &[OutboxEvent]) -> Result<(), PortError>;

    /// How much waits. Counts no further than [`Backlog::MOST`], so that asking is cheap however much there is.
    async fn backlog(&self) -> Result<Backlog, PortError>;
}
