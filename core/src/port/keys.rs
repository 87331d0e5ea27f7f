//! The register of API keys.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{ApiKeyRecord, KeyId, TenantId, Timestamp};

/// API keys, by their ids. Keys are never removed, only ended: what was done with one can still be traced to it.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Keeps a new key; `false`: there is one of this id already, and it stays as it is.
    async fn add_key(&self, key: &ApiKeyRecord) -> Result<bool, PortError>;

    /// One key.
    async fn key(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, PortError>;

    /// The keys of a tenant, or of all, in the order of their ids.
    async fn keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKeyRecord>, PortError>;

    /// Ends a key at this moment, unless it ends earlier anyhow; gives it as it is then, `None` if there is none.
    async fn end_key(&self, id: &KeyId, at: Timestamp) -> Result<Option<ApiKeyRecord>, PortError>;
}
