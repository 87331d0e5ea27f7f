//! Enqueueing a message.
//!
//! Two places must agree, the ledger and the queue, and either may fail between. The order is: ledger (`queued`, with its
//! event), then queue, then answer. What can happen, and why nothing stays queued for ever or is sent twice:
//!
//! | what happens | what is done |
//! |---|---|
//! | the ledger does not answer | nothing was published; the caller hears 503 and sends the same id again |
//! | no such queue | the queues are declared (the session may be half created) and the job is published once more; if there is still none, the entry becomes `failed` and the caller hears 404 |
//! | the queue does not answer | it may have taken the job or not. The entry becomes `cancelled` (`not_queued`), and a worker that gets the job nevertheless finds that and drops it. If a worker was faster, the entry has moved on, and the job is plainly queued |
//! | …and the ledger does not answer any more either | the caller hears that nothing is known and sends the same id again |
//! | the gateway dies between ledger and queue | the same id again: an entry that no worker has touched is published again. Without that it ends when its deadline has passed and somebody looks (`messages`) |
//! | the caller hangs up or loses patience | the work goes on to its end in a task of its own |
//!
//! A job that is published twice stands in the queue twice and is sent once, because a worker moves the ledger's entry
//! by compare-and-set before it sends.

use std::collections::BTreeMap;

use kurir_core::domain::{
    BatchId, FailReason, Job, JobId, Lane, LedgerEntry, MessageState, PhoneNumber, Target, TenantId, Timestamp, Wanted,
};
use kurir_core::port::{Enqueued, LedgerWrite, PortError, PublishJob, Written};
use kurir_core::wire::{ContentV1, MessageDataV1};

use super::messages::is_untouched;
use super::prepare::{Prepared, is_same};
use super::{UseCaseError, UseCases};

/// A message to enqueue.
#[derive(Clone, Debug)]
pub struct Enqueue {
    /// The caller's id of it; the same id again is the same message.
    pub id: Option<JobId>,
    /// The session that is to send it; either this or `pool`.
    pub session: Option<String>,
    /// The pool of which any session may send it.
    pub pool: Option<String>,
    /// The recipient's number as the caller writes it.
    pub to: String,
    /// The lane; without one, otp for a one-time password and bulk for everything else.
    pub lane: Option<Lane>,
    /// What it says.
    pub content: ContentV1,
    /// Its deadline, RFC 3339.
    pub expires_at: Option<String>,
    /// Its deadline, in seconds from now; not beside `expires_at`.
    pub ttl: Option<u32>,
    /// The caller's own words.
    pub metadata: BTreeMap<String, String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The batch that it is asked for in.
    pub batch: Option<BatchId>,
}

/// What became of a message to enqueue.
#[derive(Clone, Debug)]
pub enum Receipt {
    /// It is in the queue.
    Accepted(LedgerEntry),
    /// It was accepted before, under the same id.
    Known(LedgerEntry),
}

impl UseCases {
    /// Enqueues a message. Must not be dropped halfway: run it in a task of its own.
    pub async fn enqueue(&self, tenant: &TenantId, request: Enqueue) -> Result<Receipt, UseCaseError> {
        let now = self.ports.clock.now();
        let Prepared { job, publish, batch } = self.prepare(tenant, request, now)?;
        self.check_target(tenant, &job.target).await?;
        if self.room.take(&job.target, job.lane, 1).await == 0 {
            return Err(UseCaseError::QueueFull);
        }
        if job.expired(now) && self.entry(&job.key()).await?.is_none() {
            return Err(UseCaseError::field("expires_at", "lies in the past"));
        }
        // One-time passwords go: their recipient has asked for them.
        let suppressed = job.lane == Lane::Bulk && self.is_suppressed(tenant, &job.to).await?;
        let (entry, known) = self.enter(&job, batch, suppressed, now).await?;
        if known && !is_untouched(&entry) {
            return Ok(Receipt::Known(entry));
        }
        if suppressed {
            // A new one has ended already; one that was taken before ends now, wherever its job stands.
            return Ok(if known { Receipt::Known(self.suppressed(entry).await?) } else { Receipt::Accepted(entry) });
        }
        let entry = self.publish(entry, publish).await?;
        Ok(if known { Receipt::Known(entry) } else { Receipt::Accepted(entry) })
    }

    /// Whether the tenant may send through this session or pool.
    pub(super) async fn check_target(&self, tenant: &TenantId, target: &Target) -> Result<(), UseCaseError> {
        match target {
            Target::Session(session) => {
                let record = self.own_session(tenant, session).await.map_err(|error| match error {
                    UseCaseError::NotFound { what, .. } => UseCaseError::NotFound { what, field: Some("session") },
                    other => other,
                })?;
                if record.wanted == Wanted::Deleted {
                    return Err(UseCaseError::SessionDeleted);
                }
            }
            Target::Pool(pool) => {
                if self.ports.sessions.pool_of(pool).await?.as_ref() != Some(tenant) {
                    return Err(UseCaseError::NotFound { what: "pool", field: Some("pool") });
                }
            }
        }
        Ok(())
    }

    /// Makes sure that the queues of a target exist.
    pub(super) async fn declare(&self, target: &Target) -> Result<(), PortError> {
        match target {
            Target::Session(session) => self.ports.jobs.declare(session).await,
            Target::Pool(pool) => self.ports.pools.declare_pool(pool).await,
        }
    }

    async fn is_suppressed(&self, tenant: &TenantId, to: &PhoneNumber) -> Result<bool, UseCaseError> {
        let asked = [(tenant.clone(), to.clone())];
        Ok(self.ports.suppressions.suppressed(&asked).await? == [true])
    }

    /// Ends an entry whose recipient was suppressed after it was entered; if a worker was faster, tells how far it came.
    pub(super) async fn suppressed(&self, entry: LedgerEntry) -> Result<LedgerEntry, UseCaseError> {
        Ok(self.end(&entry, MessageState::Failed, FailReason::Suppressed).await?.0)
    }

    /// Writes the entry, or finds the one that is there; tells which. The entry of a suppressed one is its end.
    async fn enter(
        &self,
        job: &Job,
        batch: Option<BatchId>,
        suppressed: bool,
        now: Timestamp,
    ) -> Result<(LedgerEntry, bool), UseCaseError> {
        let mut entry = LedgerEntry { batch, ..LedgerEntry::new(job, now) };
        if suppressed {
            entry = ended_as_suppressed(entry, now);
        }
        let events = MessageDataV1::events(&entry, MessageState::Queued, entry.session.as_ref(), now);
        let write = LedgerWrite { fence: None, entry: entry.clone(), spent: None, events };
        if self.ports.ledger.write(vec![write]).await?.first() == Some(&Written::Done) {
            return Ok((entry.as_written(), false));
        }
        let found = self.entry(&entry.key).await?.ok_or(UseCaseError::Unsettled)?;
        if is_same(&found, &entry) { Ok((found, true)) } else { Err(UseCaseError::IdReused) }
    }

    async fn publish(&self, entry: LedgerEntry, job: PublishJob) -> Result<LedgerEntry, UseCaseError> {
        let target = job.target.clone();
        let mut answer = self.ports.jobs.publish(vec![job.clone()]).await;
        if matches!(answer.as_deref(), Ok([Enqueued::NoSuchTarget])) {
            answer = match self.declare(&target).await {
                Ok(()) => self.ports.jobs.publish(vec![job]).await,
                Err(error) => Err(error),
            };
        }
        match answer.as_deref() {
            Ok([Enqueued::Accepted]) => Ok(entry),
            Ok([Enqueued::NoSuchTarget]) => {
                match self.end(&entry, MessageState::Failed, FailReason::WrongTarget).await? {
                    (state, true) => Err(UseCaseError::NoQueue { state: state.state }),
                    (moved, false) => Ok(moved),
                }
            }
            Ok(_) | Err(_) => {
                let error = answer.err().map(|error| error.chain());
                tracing::warn!(target = target.routing_key(entry.lane), job = %entry.key.job, error, "a job could not be published");
                match self.end(&entry, MessageState::Cancelled, FailReason::NotQueued).await? {
                    (_, true) => Err(UseCaseError::NotQueued),
                    (moved, false) => Ok(moved),
                }
            }
        }
    }

    /// Ends an entry whose job is not in the queue, as far as the gateway knows. If a worker has got it nevertheless,
    /// tells how far it came (`false`).
    pub(super) async fn end(
        &self,
        entry: &LedgerEntry,
        how: MessageState,
        reason: FailReason,
    ) -> Result<(LedgerEntry, bool), UseCaseError> {
        let job = entry.key.job;
        let unsettled = |error: &UseCaseError| {
            tracing::warn!(%job, error = %error, "a job may stay queued until its id is sent again");
            UseCaseError::Unsettled
        };
        let mut entry = entry.clone();
        loop {
            match self.advance(&entry, how, Some(reason)).await {
                Ok(Some(ended)) => return Ok((ended, true)),
                Ok(None) => {}
                Err(error) => return Err(unsettled(&error)),
            }
            match self.entry(&entry.key).await {
                // Put off by somebody while it was published, which says nothing of the queue.
                Ok(Some(moved)) if is_untouched(&moved) && moved.version != entry.version => entry = moved,
                Ok(Some(moved)) => return Ok((moved, false)),
                Ok(None) => return Err(UseCaseError::Unsettled),
                Err(error) => return Err(unsettled(&error)),
            }
        }
    }
}

/// A new entry whose recipient wants no bulk messages.
pub(super) fn ended_as_suppressed(entry: LedgerEntry, now: Timestamp) -> LedgerEntry {
    match entry.advance(MessageState::Failed, now) {
        Ok(ended) => LedgerEntry { reason: Some(FailReason::Suppressed), ..ended },
        // Every new entry may fail.
        Err(_) => entry,
    }
}
