//! Prefixes of numbers, and whether they get codes.

use kurir_core::domain::{PrefixId, PrefixRecord, TenantId};

use crate::gateway::usecase::page::cut;
use crate::gateway::usecase::{UseCaseError, UseCases};

/// One page of prefixes.
#[derive(Debug)]
pub struct PrefixPage {
    /// In the order of their ids.
    pub prefixes: Vec<PrefixRecord>,
    /// Where the next page begins, if there is one: the id to pass as `after`.
    pub next: Option<PrefixId>,
}

impl UseCases {
    /// The tenant's prefixes after `after`, at most `limit`.
    pub async fn prefixes(
        &self,
        tenant: &TenantId,
        after: Option<PrefixId>,
        limit: u32,
    ) -> Result<PrefixPage, UseCaseError> {
        let mut prefixes = self.ports.verifications.prefixes(tenant, after, limit.saturating_add(1)).await?;
        let next = cut(&mut prefixes, limit, |last| last.id);
        Ok(PrefixPage { prefixes, next })
    }

    /// Lets a prefix have codes again; its counts begin anew.
    pub async fn unblock_prefix(&self, tenant: &TenantId, id: PrefixId) -> Result<PrefixRecord, UseCaseError> {
        let now = self.ports.clock.now();
        let record = self.ports.verifications.unblock(tenant, id, now).await?;
        let record = record.ok_or(UseCaseError::NotFound { what: "prefix", field: None })?;
        tracing::info!(prefix = %id, %tenant, "prefix unblocked");
        Ok(record)
    }
}
