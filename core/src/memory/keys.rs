//! API keys in memory.

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{ApiKeyRecord, KeyId, TenantId, Timestamp};
use crate::port::{KeyStore, PortError};

#[async_trait]
impl KeyStore for MemoryStores {
    async fn add_key(&self, key: &ApiKeyRecord) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let new = !tables.keys.contains_key(&key.id);
        if new {
            tables.keys.insert(key.id.clone(), key.clone());
        }
        Ok(new)
    }

    async fn key(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, PortError> {
        Ok(self.tables().keys.get(id).cloned())
    }

    async fn keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKeyRecord>, PortError> {
        let tables = self.tables();
        Ok(tables.keys.values().filter(|key| tenant.is_none_or(|tenant| key.tenant == *tenant)).cloned().collect())
    }

    async fn end_key(&self, id: &KeyId, at: Timestamp) -> Result<Option<ApiKeyRecord>, PortError> {
        let mut tables = self.tables();
        let Some(key) = tables.keys.get_mut(id) else { return Ok(None) };
        key.until = Some(key.until.map_or(at, |until| until.min(at)));
        Ok(Some(key.clone()))
    }
}
