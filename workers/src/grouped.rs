//! A ledger and queues whose callers share commits and rounds of confirms: for a gateway, whose requests come one by one.

use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::domain::{JobKey, Lane, LedgerEntry, MessageId, PhoneNumber, SessionId, Timestamp};
use kurir_core::port::{Enqueued, JobQueue, JobStream, Ledger, LedgerWrite, PortError, PublishJob, Written};

use crate::group::Group;

/// Most writes in one commit, and jobs in one round.
const MOST: usize = 256;

/// A ledger whose single writes share commits. Calls with many writes go by themselves.
pub struct GroupedLedger {
    inner: Arc<dyn Ledger>,
    writes: Group<LedgerWrite, Written>,
}

impl GroupedLedger {
    /// Wraps a ledger. Must be called within a tokio runtime; the writing task ends with the last use.
    pub fn new(inner: Arc<dyn Ledger>) -> Self {
        let ledger = Arc::clone(&inner);
        let writes = Group::start("the group commit of the ledger", MOST, move |writes| {
            let ledger = Arc::clone(&ledger);
            async move { ledger.write(writes).await }
        });
        Self { inner, writes }
    }
}

#[async_trait]
impl Ledger for GroupedLedger {
    async fn write(&self, mut writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        match (writes.pop(), writes.is_empty()) {
            (Some(one), true) => Ok(vec![self.writes.write(one).await?]),
            (last, _) => {
                writes.extend(last);
                self.inner.write(writes).await
            }
        }
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        self.inner.get(keys).await
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        self.inner.by_message(session, ids).await
    }

    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError> {
        self.inner.open_of(session, limit).await
    }

    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError> {
        self.inner.met(session, recipients).await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.inner.forget(before, limit).await
    }
}

/// Queues whose single publishes share rounds of confirms. Calls with many jobs go by themselves.
pub struct GroupedQueue {
    inner: Arc<dyn JobQueue>,
    publishes: Group<PublishJob, Enqueued>,
}

impl GroupedQueue {
    /// Wraps queues. Must be called within a tokio runtime; the publishing task ends with the last use.
    pub fn new(inner: Arc<dyn JobQueue>) -> Self {
        let queue = Arc::clone(&inner);
        let publishes = Group::start("the group publish of jobs", MOST, move |jobs| {
            let queue = Arc::clone(&queue);
            async move { queue.publish(jobs).await }
        });
        Self { inner, publishes }
    }
}

#[async_trait]
impl JobQueue for GroupedQueue {
    async fn declare(&self, session: &SessionId) -> Result<(), PortError> {
        self.inner.declare(session).await
    }

    async fn remove(&self, session: &SessionId) -> Result<(), PortError> {
        self.inner.remove(session).await
    }

    async fn publish(&self, mut jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, PortError> {
        match (jobs.pop(), jobs.is_empty()) {
            (Some(one), true) => Ok(vec![self.publishes.write(one).await?]),
            (last, _) => {
                jobs.extend(last);
                self.inner.publish(jobs).await
            }
        }
    }

    async fn subscribe(&self, session: &SessionId, lane: Lane, window: u16) -> Result<Box<dyn JobStream>, PortError> {
        self.inner.subscribe(session, lane, window).await
    }

    async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError> {
        self.inner.depth(session, lane).await
    }
}
