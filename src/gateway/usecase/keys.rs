//! API keys: make, look at, end, replace.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{
    ApiKeyRecord, KeyId, KeyStyle, Scope, Secret, SessionId, TenantId, Timestamp, key_hash, key_text,
};
use kurir_core::port::{Clock, Entropy, KeyStore, PortError};

use super::{UseCaseError, UseCases};

/// Longest label of a key, in characters.
const MAX_LABEL: usize = 100;

/// Most sessions that a key can be limited to.
const MAX_SESSIONS: usize = 1000;

/// How long a key that is replaced is still taken at most.
const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);

/// A key to make.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// As whom its bearer acts.
    pub tenant: TenantId,
    /// What people call it.
    pub label: String,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// Which sessions it allows that with; `None`: all of the tenant's.
    pub sessions: Option<BTreeSet<SessionId>>,
    /// From when on it is taken no more.
    pub until: Option<Timestamp>,
}

/// A key that was made: the only time that it is shown.
#[derive(Debug)]
pub struct MadeKey {
    /// What is kept of it.
    pub record: ApiKeyRecord,
    /// The key.
    pub key: Secret<String>,
}

/// The register of keys, for the gateway and for the command line, which needs no gateway.
#[derive(Clone)]
pub struct KeyDesk {
    /// Where keys are kept.
    pub register: Arc<dyn KeyStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl KeyDesk {
    /// Makes a key.
    pub async fn create(&self, new: NewKey) -> Result<MadeKey, UseCaseError> {
        self.create_as(new, KeyStyle::Kurir).await
    }

    /// Makes a key that looks like this.
    pub async fn create_as(&self, new: NewKey, style: KeyStyle) -> Result<MadeKey, UseCaseError> {
        if new.label.chars().count() > MAX_LABEL {
            return Err(UseCaseError::field("label", format!("has more than {MAX_LABEL} characters")));
        }
        if new.scopes.is_empty() {
            return Err(UseCaseError::field("scopes", "is empty: a key without a scope can do nothing"));
        }
        if new.sessions.as_ref().is_some_and(|sessions| sessions.is_empty() || sessions.len() > MAX_SESSIONS) {
            return Err(UseCaseError::field("sessions", format!("has 1 to {MAX_SESSIONS} sessions, or is left out")));
        }
        let now = self.clock.now();
        if new.until.is_some_and(|until| until <= now) {
            return Err(UseCaseError::field("expires_at", "lies in the past"));
        }
        // 64 bits: an id that is there already is refused, and none ever was.
        let id = KeyId::new(format!("{:016x}", self.entropy.nonce() >> 64))
            .map_err(|error| UseCaseError::field("id", error.to_string()))?;
        let key = key_text(style, &id, [self.entropy.nonce(), self.entropy.nonce()]);
        let record = ApiKeyRecord {
            id,
            tenant: new.tenant,
            label: new.label,
            hash: key_hash(&key),
            scopes: new.scopes,
            sessions: new.sessions,
            created_at: now,
            until: new.until,
        };
        if !self.register.add_key(&record).await? {
            return Err(UseCaseError::Contended);
        }
        tracing::info!(key = %record.id, tenant = %record.tenant, "API key made");
        Ok(MadeKey { record, key })
    }

    /// The keys of a tenant, or of all.
    pub async fn list(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKeyRecord>, PortError> {
        self.register.keys(tenant).await
    }

    /// One key; with a tenant, only if it is that tenant's.
    pub async fn one(&self, tenant: Option<&TenantId>, id: &KeyId) -> Result<ApiKeyRecord, UseCaseError> {
        let record = self.register.key(id).await?;
        let own = record.filter(|record| tenant.is_none_or(|tenant| record.tenant == *tenant));
        own.ok_or(UseCaseError::NotFound { what: "key", field: None })
    }

    /// Ends a key now.
    pub async fn revoke(&self, tenant: Option<&TenantId>, id: &KeyId) -> Result<ApiKeyRecord, UseCaseError> {
        self.one(tenant, id).await?;
        let ended = self.register.end_key(id, self.clock.now()).await?;
        tracing::info!(key = %id, "API key revoked");
        ended.ok_or(UseCaseError::NotFound { what: "key", field: None })
    }

    /// Makes a key that may do the same, and lets the old one end after `overlap`. Gives the new and the old one.
    pub async fn rotate(
        &self,
        tenant: Option<&TenantId>,
        id: &KeyId,
        overlap: Duration,
    ) -> Result<(MadeKey, ApiKeyRecord), UseCaseError> {
        if overlap > LONGEST_OVERLAP {
            return Err(UseCaseError::field("overlap", "is more than 30 days"));
        }
        let old = self.one(tenant, id).await?;
        let now = self.clock.now();
        if old.until.is_some_and(|until| until <= now) {
            return Err(UseCaseError::KeyEnded);
        }
        let ApiKeyRecord { tenant, label, scopes, sessions, until, .. } = old;
        let made = self.create(NewKey { tenant, label, scopes, sessions, until }).await?;
        let old = self.register.end_key(id, now.plus(overlap)).await?;
        Ok((made, old.ok_or(UseCaseError::NotFound { what: "key", field: None })?))
    }
}

impl UseCases {
    /// The register of keys.
    pub fn keys(&self) -> KeyDesk {
        KeyDesk {
            register: Arc::clone(&self.ports.keys),
            clock: Arc::clone(&self.ports.clock),
            entropy: Arc::clone(&self.ports.entropy),
        }
    }
}
