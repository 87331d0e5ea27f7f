//! The ledger, with every step of a job counted once it is durable, whoever took the step.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{
    EventKind, JobKey, Lane, LedgerEntry, MessageId, MessageState, PhoneNumber, SessionId, Timestamp,
};
use kurir_core::port::{Ledger, LedgerWrite, PortError, Written};

use super::Telemetry;
use super::series::{JobLabels, LaneLabel, reason};

/// A ledger that counts.
pub struct CountedLedger {
    inner: Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
}

/// What a write says, should it be done.
struct Step {
    lane: Lane,
    reason: &'static str,
    /// The states that the message passes with it, the last one included.
    states: Vec<MessageState>,
    sent: Duration,
    delivered: Duration,
}

impl Step {
    fn of(write: &LedgerWrite) -> Self {
        let entry = &write.entry;
        // Each state but `sending` is told by an event of its own.
        let told = |state: &MessageState| {
            EventKind::of_state(*state).is_some_and(|kind| write.events.iter().any(|event| event.kind == kind))
        };
        let mut states: Vec<MessageState> = MessageState::ALL.into_iter().filter(told).collect();
        if entry.state == MessageState::Sending {
            states.push(MessageState::Sending);
        }
        let after = |at: Option<Timestamp>| at.map_or(Duration::ZERO, |at| at.since(entry.enqueued_at));
        Self {
            lane: entry.lane,
            reason: reason(entry.reason),
            states,
            sent: after(entry.sent_at),
            delivered: after(entry.delivered_at),
        }
    }
}

impl CountedLedger {
    /// Counts what is written to `inner`.
    pub const fn new(inner: Arc<dyn Ledger>, telemetry: Arc<Telemetry>) -> Self {
        Self { inner, telemetry }
    }

    fn count(&self, step: &Step) {
        let (counted, lane) = (&self.telemetry.counted, step.lane.as_str());
        for state in &step.states {
            let labels = JobLabels { state: state.as_str(), lane, reason: step.reason };
            counted.jobs.get_or_create(&labels).inc();
            let label = LaneLabel { lane };
            match state {
                MessageState::Sent => counted.server_ack.get_or_create(&label).observe(step.sent.as_secs_f64()),
                MessageState::Delivered => {
                    counted.delivery.get_or_create(&label).observe(step.delivered.as_secs_f64());
                }
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Ledger for CountedLedger {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        let steps: Vec<Step> = writes.iter().map(Step::of).collect();
        let written = self.inner.write(writes).await?;
        for (step, written) in steps.iter().zip(&written) {
            if *written == Written::Done {
                self.count(step);
            }
        }
        Ok(written)
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
