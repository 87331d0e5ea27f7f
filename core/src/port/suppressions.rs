//! The list of those who want no bulk messages.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{
    Applied, EventId, OptOut, OutboxEvent, PhoneNumber, Release, SessionId, Suppression, SuppressionChange,
    SuppressionCursor, TenantId,
};

/// One list a tenant. Every change of a number's entry is kept beside it, also when the number is taken off again.
#[async_trait]
pub trait SuppressionList: Send + Sync {
    /// Carries out many wishes in one commit, in order (see [`Suppression::over`]); tells in order what each has changed.
    async fn suppress(&self, tenant: &TenantId, wishes: &[Suppression]) -> Result<Vec<Applied>, PortError>;

    /// Takes a number off the list, if what is there yields to it (see [`Suppression::yields_to`]). Gives what was there;
    /// `None`: nothing was changed.
    async fn release(&self, tenant: &TenantId, release: &Release) -> Result<Option<Suppression>, PortError>;

    /// Stores what a session received: all of `events` go into the outbox, and what was written in words for it is
    /// carried out, in one commit. A stop counts from whom the session has written a bulk message to (see
    /// [`crate::domain::Spent::bulk`]). The event of what changed the list goes into the outbox with it; gives their ids.
    async fn heed(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        events: &[OutboxEvent],
        replies: &[OptOut],
    ) -> Result<Vec<EventId>, PortError>;

    /// Which of these are on their tenant's list, in order. An error where that can't be known: then nobody may take it
    /// for a no.
    async fn suppressed(&self, asked: &[(TenantId, PhoneNumber)]) -> Result<Vec<bool>, PortError>;

    /// One entry.
    async fn suppression(&self, tenant: &TenantId, number: &PhoneNumber) -> Result<Option<Suppression>, PortError>;

    /// A page of the list, at most `limit` after a place, in an order that says nothing. Numbers that stay on the list
    /// while it is paged through come once each.
    async fn suppressions(
        &self,
        tenant: &TenantId,
        after: Option<SuppressionCursor>,
        limit: u32,
    ) -> Result<Vec<(SuppressionCursor, Suppression)>, PortError>;

    /// What was done to a number's entry, the newest first, at most `limit`.
    async fn suppression_changes(
        &self,
        tenant: &TenantId,
        number: &PhoneNumber,
        limit: u32,
    ) -> Result<Vec<SuppressionChange>, PortError>;
}
