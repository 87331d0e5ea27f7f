//! Which keys are taken: those of the settings, and those of the register, remembered for a few seconds.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kurir_core::domain::{ApiKeyRecord, KeyId, Scope, Secret, TenantId, Timestamp, key_hash, key_id};
use kurir_core::port::{Clock, KeyStore, PortError};

/// How long a key that was ended may still be taken, and a new one unknown, by a gateway that has just asked for it.
const FRESH: Duration = Duration::from_secs(5);

/// How many keys are remembered; beyond that it begins anew.
const REMEMBERED: usize = 10_000;

/// A key of the settings: it may do everything, as this tenant.
pub fn fixed_key(key: &Secret<String>, tenant: TenantId) -> Option<ApiKeyRecord> {
    Some(ApiKeyRecord {
        id: KeyId::new("settings").ok()?,
        tenant,
        label: "gateway.api_key".to_owned(),
        hash: key_hash(key),
        scopes: BTreeSet::from([Scope::Admin]),
        sessions: None,
        created_at: Timestamp::from_millis(0),
        until: None,
    })
}

/// What was found, and when.
type Found = (Timestamp, Option<Arc<ApiKeyRecord>>);

/// All keys that are taken.
pub(super) struct ApiKeys {
    fixed: Vec<Arc<ApiKeyRecord>>,
    register: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    found: Mutex<HashMap<KeyId, Found>>,
}

impl ApiKeys {
    pub fn new(fixed: Vec<ApiKeyRecord>, register: Arc<dyn KeyStore>, clock: Arc<dyn Clock>) -> Self {
        let fixed = fixed.into_iter().map(Arc::new).collect();
        Self { fixed, register, clock, found: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, Found>> {
        // Nothing panics while it holds the lock.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that this text is; `None`: none of ours.
    pub async fn of(&self, presented: &[u8]) -> Result<Option<Arc<ApiKeyRecord>>, PortError> {
        let now = self.clock.now();
        // All of them are compared, whether or not one has matched.
        let fixed =
            |found, key: &Arc<ApiKeyRecord>| if key.opens(presented, now) { Some(Arc::clone(key)) } else { found };
        if let Some(key) = self.fixed.iter().fold(None, fixed) {
            return Ok(Some(key));
        }
        let Some(id) = key_id(presented) else { return Ok(None) };
        Ok(self.registered(&id, now).await?.filter(|record| record.opens(presented, now)))
    }

    async fn registered(&self, id: &KeyId, now: Timestamp) -> Result<Option<Arc<ApiKeyRecord>>, PortError> {
        let known = self.lock().get(id).filter(|(at, _)| now.since(*at) < FRESH).cloned();
        if let Some((_, record)) = known {
            return Ok(record);
        }
        let record = self.register.key(id).await?.map(Arc::new);
        let mut found = self.lock();
        if found.len() >= REMEMBERED {
            found.clear();
        }
        found.insert(id.clone(), (now, record.clone()));
        Ok(record)
    }

    /// Whether a key that was taken still is.
    pub async fn still(&self, key: &ApiKeyRecord) -> Result<bool, PortError> {
        let now = self.clock.now();
        if self.fixed.iter().any(|fixed| fixed.hash == key.hash) {
            return Ok(true);
        }
        let known = self.registered(&key.id, now).await?;
        Ok(known.is_some_and(|known| known.hash == key.hash && known.until.is_none_or(|until| now < until)))
    }

    /// Has the next caller with this key asked for anew: it was changed through this gateway.
    pub fn forget(&self, id: &KeyId) {
        self.lock().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use kurir_core::domain::{KeyStyle, key_text};
    use kurir_core::memory::{ManualClock, MemoryStores};

    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[tokio::test]
    async fn each_key_opens_its_tenant_until_it_ends() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let stores = Arc::new(MemoryStores::new(clock.clone()));
        let fixed = |text: &str, name| fixed_key(&Secret::new(text.to_owned()), tenant(name)).unwrap();
        let keys = ApiKeys::new(
            vec![fixed("one", "a"), fixed("two", "b"), fixed("kurir_three_3", "c")],
            stores.clone(),
            clock.clone() as Arc<dyn Clock>,
        );
        let whose = async |text: &str| keys.of(text.as_bytes()).await.unwrap().map(|key| key.tenant.clone());
        assert_eq!((whose("one").await, whose("two").await), (Some(tenant("a")), Some(tenant("b"))));
        assert_eq!(whose("kurir_three_3").await, Some(tenant("c")), "it looks like one of the register's");
        for wrong in ["", "on", "onee", "One"] {
            assert_eq!(whose(wrong).await, None);
        }

        let id = KeyId::new("k1").unwrap();
        let text = key_text(KeyStyle::Kurir, &id, [3, 4]);
        assert_eq!(whose(text.expose()).await, None, "not registered");
        let record = ApiKeyRecord { id: id.clone(), hash: key_hash(&text), ..fixed("", "c") };
        stores.add_key(&record).await.unwrap();
        assert_eq!(whose(text.expose()).await, None, "asked a moment ago");
        clock.advance(FRESH);
        assert_eq!(whose(text.expose()).await, Some(tenant("c")));
        assert_eq!(whose(&format!("{}x", text.expose())).await, None);
        stores.end_key(&id, clock.now()).await.unwrap();
        keys.forget(&id);
        assert_eq!(whose(text.expose()).await, None);
    }
}
