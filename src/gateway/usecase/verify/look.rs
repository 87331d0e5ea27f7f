//! Looking at verifications.

use kurir_core::domain::{TenantId, Verification, VerificationId};
use kurir_core::port::VerificationFilter;

use crate::gateway::usecase::page::cut;
use crate::gateway::usecase::{UseCaseError, UseCases};

/// One page of verifications.
#[derive(Debug)]
pub struct VerificationPage {
    /// The newest first.
    pub verifications: Vec<Verification>,
    /// Where the next page begins, if there is one: the id to pass as `before`.
    pub next: Option<VerificationId>,
}

const NONE: UseCaseError = UseCaseError::NotFound { what: "verification", field: None };

impl UseCases {
    /// One verification; one whose time has passed is ended here, if the relay has not come to it.
    pub async fn one_verification(&self, tenant: &TenantId, id: VerificationId) -> Result<Verification, UseCaseError> {
        let found = self.ports.verifications.verification(tenant, id).await?;
        self.not_late(found.ok_or(NONE)?).await
    }

    /// The newest verification to a number.
    pub async fn verification_to(&self, tenant: &TenantId, to: &str) -> Result<Verification, UseCaseError> {
        let to = self.verified_number(to)?;
        let found = self.ports.verifications.latest_to(tenant, &to).await?;
        self.not_late(found.ok_or(NONE)?).await
    }

    /// The tenant's verifications before `before`, at most `limit`; `to` as a caller writes a number.
    pub async fn verifications(
        &self,
        tenant: &TenantId,
        filter: VerificationFilter,
        to: Option<&str>,
        before: Option<VerificationId>,
        limit: u32,
    ) -> Result<VerificationPage, UseCaseError> {
        let to = to.map(|to| self.verified_number(to)).transpose()?;
        let filter = VerificationFilter { to, ..filter };
        let most = limit.saturating_add(1);
        let mut verifications = self.ports.verifications.verifications(tenant, &filter, before, most).await?;
        let next = cut(&mut verifications, limit, |last| last.id);
        Ok(VerificationPage { verifications, next })
    }
}
