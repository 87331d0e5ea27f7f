//! Which alerts stand, in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{OutboxEvent, TenantId};
use crate::port::{AlertBook, PortError};

#[async_trait]
impl AlertBook for MemoryStores {
    async fn standing(&self) -> Result<BTreeSet<TenantId>, PortError> {
        Ok(self.tables().alerts.clone())
    }

    async fn turn_alert(&self, tenant: &TenantId, stands: bool, event: &OutboxEvent) -> Result<bool, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        let turned = if stands { tables.alerts.insert(tenant.clone()) } else { tables.alerts.remove(tenant) };
        if turned {
            tables.outbox.add(std::slice::from_ref(event), now);
        }
        Ok(turned)
    }
}
