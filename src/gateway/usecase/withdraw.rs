//! Taking a message back, or putting it off, as long as it is not on the wire.
//!
//! The ledger's entry is moved by compare-and-set on its version, and so is the worker's, right before it sends: exactly
//! one of the two comes first. The job itself stays where it is in the queues; the worker that meets it next obeys the
//! entry.

use kurir_core::domain::{FailReason, JobId, LedgerEntry, MessageState, TenantId, Timestamp};

use super::{UseCaseError, UseCases};

/// How often a change that met another write is decided again.
const TRIES: usize = 8;

/// The latest moment that a message may be put off to, from now.
const FURTHEST: std::time::Duration = std::time::Duration::from_hours(30 * 24);

impl UseCases {
    /// Cancels a message: it is never sent. One that is cancelled already stays so.
    pub async fn cancel(&self, tenant: &TenantId, job: JobId) -> Result<LedgerEntry, UseCaseError> {
        for _ in 0..TRIES {
            let entry = self.message(tenant, job).await?;
            if entry.state == MessageState::Cancelled {
                return Ok(entry);
            }
            let entry = still_waiting(entry)?;
            let cancelled = entry.advance(MessageState::Cancelled, self.ports.clock.now());
            if let Some(cancelled) = self.replace(&entry, cancelled.ok().map(without_reason)).await? {
                tracing::info!(%job, %tenant, "message cancelled");
                return Ok(cancelled);
            }
        }
        Err(UseCaseError::Contended)
    }

    /// Lets a message wait until `not_before`, RFC 3339: earlier or later than it would have gone. A moment that has
    /// passed means as soon as its sender may.
    pub async fn reschedule(
        &self,
        tenant: &TenantId,
        job: JobId,
        not_before: &str,
    ) -> Result<LedgerEntry, UseCaseError> {
        const FIELD: &str = "not_before";
        let until = Timestamp::parse_rfc3339(not_before)
            .ok_or_else(|| UseCaseError::field(FIELD, "not a moment of RFC 3339, like 2026-01-31T12:00:00Z"))?;
        if until > self.ports.clock.now().plus(FURTHEST) {
            return Err(UseCaseError::field(FIELD, "lies more than 30 days ahead"));
        }
        for _ in 0..TRIES {
            let entry = still_waiting(self.message(tenant, job).await?)?;
            if let Some(deadline) = entry.expires_at.filter(|deadline| until >= *deadline) {
                let message = format!("the message's deadline is {}; it has to go before that", deadline.to_rfc3339());
                return Err(UseCaseError::field(FIELD, message));
            }
            let delayed = entry.advance(MessageState::Delayed, self.ports.clock.now()).ok().map(|mut delayed| {
                delayed.not_before = Some(until);
                delayed.reason = Some(FailReason::Rescheduled);
                delayed.code = None;
                delayed
            });
            if let Some(delayed) = self.replace(&entry, delayed).await? {
                tracing::info!(%job, %tenant, until = %until.to_rfc3339(), "message rescheduled");
                return Ok(delayed);
            }
        }
        Err(UseCaseError::Contended)
    }
}

fn without_reason(mut entry: LedgerEntry) -> LedgerEntry {
    entry.reason = None;
    entry.code = None;
    entry
}

fn still_waiting(entry: LedgerEntry) -> Result<LedgerEntry, UseCaseError> {
    if entry.state.is_waiting() { Ok(entry) } else { Err(UseCaseError::TooLate { state: entry.state }) }
}
