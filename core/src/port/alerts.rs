//! Which alerts stand.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::PortError;
use crate::domain::{OutboxEvent, TenantId};

/// The alerts of tenants whose messages fail, so that each is raised once and resolved once, however many look.
#[async_trait]
pub trait AlertBook: Send + Sync {
    /// The tenants whose alert stands.
    async fn standing(&self) -> Result<BTreeSet<TenantId>, PortError>;

    /// Says that a tenant's alert stands, or that it doesn't any more; the event enters the outbox with it. `false`: that was so
    /// already, and the event is not told.
    async fn turn_alert(&self, tenant: &TenantId, stands: bool, event: &OutboxEvent) -> Result<bool, PortError>;
}
