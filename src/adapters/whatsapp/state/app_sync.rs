//! App state: keys, versions and MACs of the collections that the phone shares with its devices.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use whatsapp_rust::wacore::appstate::hash::HashState;
use whatsapp_rust::wacore::appstate::processor::AppStateMutationMAC;
use whatsapp_rust::wacore::store::error::Result;
use whatsapp_rust::wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::keys::{SYNC_KEY, SYNC_KEY_LATEST, SYNC_MAC, SYNC_VERSION, hex, joined, only, plain, prefix};
use super::{StateBackend, StateKey, decode, encode};

#[async_trait]
impl AppSyncStore for StateBackend {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        self.read(plain(SYNC_KEY, &hex(key_id))).await?.map(|bytes| decode(&bytes)).transpose()
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        let latest = Bytes::copy_from_slice(key_id);
        self.put_all([(plain(SYNC_KEY, &hex(key_id)), encode(&key)?), (only(SYNC_KEY_LATEST), latest)]).await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        self.read(plain(SYNC_VERSION, name)).await?.map_or_else(|| Ok(HashState::default()), |bytes| decode(&bytes))
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        self.put(plain(SYNC_VERSION, name), encode(&state)?).await
    }

    async fn put_mutation_macs(&self, name: &str, _version: u64, mutations: &[AppStateMutationMAC]) -> Result<()> {
        let _writing = self.locks.app_sync.lock().await;
        self.put_all(
            mutations.iter().map(|mac| (mac_key(name, &mac.index_mac), Bytes::copy_from_slice(&mac.value_mac))),
        )
        .await
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.read(mac_key(name, index_mac)).await?.map(Vec::from))
    }

    async fn get_mutation_macs(&self, name: &str, index_macs: &[[u8; 32]]) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let keys: Vec<_> = index_macs.iter().map(|index| mac_key(name, index)).collect();
        let found = self.read_all(&keys).await?;
        Ok(index_macs.iter().zip(found).filter_map(|(index, mac)| mac.map(|mac| (*index, Vec::from(mac)))).collect())
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        self.delete_all(index_macs.iter().map(|index| mac_key(name, index)).collect()).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        let _writing = self.locks.app_sync.lock().await;
        let found = self.scan(SYNC_MAC, &prefix(name)).await?;
        self.delete_all(found.into_iter().map(|(key, _)| StateKey::new(SYNC_MAC, key)).collect()).await
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.read(only(SYNC_KEY_LATEST)).await?.map(Vec::from))
    }
}

fn mac_key(collection: &str, index_mac: &[u8]) -> StateKey {
    joined(SYNC_MAC, &[collection, &hex(index_mac)])
}
