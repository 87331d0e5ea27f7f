//! Comparing a code with the one that was sent, and taking a verification back.

use kurir_core::domain::{
    CodeDelivery, EventKind, Secret, TenantId, Traffic, Verification, VerificationEnded, VerificationId,
    VerificationStatus,
};
use kurir_core::policy::tidied_code;
use kurir_core::port::{VerificationWrite, Written};
use kurir_core::wire::VerificationDataV1;

use super::TRIES;
use crate::gateway::usecase::{UseCaseError, UseCases};

/// Longest code that is compared, in bytes.
const MAX_GIVEN: usize = 64;

/// What an end is told and counted as.
const fn end_of(status: VerificationStatus) -> Option<(EventKind, Traffic)> {
    match status {
        VerificationStatus::Pending => None,
        VerificationStatus::Approved => Some((EventKind::VerificationApproved, Traffic::Approved)),
        VerificationStatus::Expired => Some((EventKind::VerificationExpired, Traffic::Lost)),
        VerificationStatus::MaxAttemptsReached => Some((EventKind::VerificationMaxAttemptsReached, Traffic::Lost)),
        VerificationStatus::Canceled => Some((EventKind::VerificationCanceled, Traffic::Lost)),
    }
}

impl UseCases {
    /// Compares a code; `true` if this made the verification approved. Every comparison counts, by compare-and-set: of
    /// two at the same time one is decided anew with what the other has left. An ended one stays as it is.
    pub async fn check_code(
        &self,
        tenant: &TenantId,
        id: VerificationId,
        given: &Secret<String>,
    ) -> Result<(Verification, bool), UseCaseError> {
        if given.expose().is_empty() || given.expose().len() > MAX_GIVEN {
            return Err(UseCaseError::field("code", format!("has 1 to {MAX_GIVEN} characters")));
        }
        let given = tidied_code(given.expose());
        for _ in 0..TRIES {
            let known = self.one_verification(tenant, id).await?;
            if !known.status.is_open() {
                return Ok((known, false));
            }
            let matches = self.verify.code_keys.matches(&known.mark, tenant, id, &given).map_err(|error| {
                tracing::error!(verification = %id, %error, "a code can't be compared");
                UseCaseError::CodeKeyGone
            })?;
            let next = known.checked(matches, self.ports.clock.now())?;
            if let Some(written) = self.put(next).await? {
                let approved = written.status == VerificationStatus::Approved;
                return Ok((written, approved));
            }
        }
        Err(UseCaseError::Contended)
    }

    /// Ends a verification whose code is not wanted any more. One that is canceled already stays so.
    pub async fn cancel_verification(
        &self,
        tenant: &TenantId,
        id: VerificationId,
    ) -> Result<Verification, UseCaseError> {
        for _ in 0..TRIES {
            let known = self.one_verification(tenant, id).await?;
            match known.status {
                VerificationStatus::Canceled => return Ok(known),
                VerificationStatus::Pending => {}
                other => return Err(VerificationEnded(other).into()),
            }
            let canceled = known.ended(VerificationStatus::Canceled, self.ports.clock.now())?;
            if let Some(written) = self.put(canceled).await? {
                return Ok(written);
            }
        }
        Err(UseCaseError::Contended)
    }

    /// The verification, ended if its time has passed.
    pub(super) async fn not_late(&self, known: Verification) -> Result<Verification, UseCaseError> {
        let mut known = known;
        for _ in 0..TRIES {
            let now = self.ports.clock.now();
            if !known.status.is_open() || !known.is_late(now) {
                return Ok(known);
            }
            let expired = known.ended(VerificationStatus::Expired, now)?;
            let (tenant, id) = (known.tenant, known.id);
            if let Some(written) = self.put(expired).await? {
                return Ok(written);
            }
            let again = self.ports.verifications.verification(&tenant, id).await?;
            known = again.ok_or(UseCaseError::NotFound { what: "verification", field: None })?;
        }
        Err(UseCaseError::Contended)
    }

    /// Writes it with what its end tells and counts; `None`: another write came first.
    async fn put(&self, next: Verification) -> Result<Option<Verification>, UseCaseError> {
        let now = self.ports.clock.now();
        let (mut tally, mut events) = (None, Vec::new());
        if let Some((kind, what)) = end_of(next.status) {
            events.push(VerificationDataV1::event(kind, &next, None, now));
            tally = Some(self.tally(&next, what));
        }
        let write = VerificationWrite { record: next.clone(), tally, events };
        if self.ports.verifications.save(write).await? != Written::Done {
            return Ok(None);
        }
        // Its message may still stand in a queue, where it is worth nothing now. One that has expired ends by itself.
        let waits = next.delivery != CodeDelivery::Reached && next.status != VerificationStatus::Expired;
        if waits
            && !next.status.is_open()
            && let Err(error) = self.cancel(&next.tenant, next.job()).await
        {
            tracing::debug!(verification = %next.id, %error, "the message of an ended verification goes its way");
        }
        Ok(Some(Verification { version: next.version + 1, ..next }))
    }
}
