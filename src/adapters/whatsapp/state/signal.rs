//! Identities, sessions, pre-keys and sender keys: bytes of the Signal protocol, stored as they are.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use whatsapp_rust::wacore::store::error::Result;
use whatsapp_rust::wacore::store::traits::SignalStore;

use super::keys::{IDENTITY, PREKEY, SENDER_KEY, SESSION, SIGNED_PREKEY, number, plain, read_number};
use super::{StateBackend, unreadable};

#[async_trait]
impl SignalStore for StateBackend {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        self.put(plain(IDENTITY, address), Bytes::copy_from_slice(&key)).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        self.put_all(identities.iter().map(|(address, key)| (plain(IDENTITY, address), Bytes::copy_from_slice(key))))
            .await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        self.read(plain(IDENTITY, address))
            .await?
            .map(|bytes| bytes[..].try_into().map_err(|_| unreadable(IDENTITY, "an identity key has 32 bytes")))
            .transpose()
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.delete(plain(IDENTITY, address)).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        self.read(plain(SESSION, address)).await
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        self.put(plain(SESSION, address), Bytes::copy_from_slice(session)).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.put_all(sessions.iter().map(|(address, session)| (plain(SESSION, address), session.clone()))).await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.delete(plain(SESSION, address)).await
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        // Addresses are `user@server` and `user:device@server`.
        let of_user = |key: &str| key.strip_prefix(user).is_some_and(|rest| rest.starts_with(['@', ':']));
        for area in [SESSION, IDENTITY] {
            if self.scan(area, user).await?.iter().any(|(key, _)| of_user(key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a pre-key was uploaded is not kept: no method reads it back, and the client goes by the watermark in
    /// the device record.
    async fn store_prekey(&self, id: u32, record: &[u8], _uploaded: bool) -> Result<()> {
        self.put(number(PREKEY, id), Bytes::copy_from_slice(record)).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], _uploaded: bool) -> Result<()> {
        self.put_all(keys.iter().map(|(id, record)| (number(PREKEY, *id), record.clone()))).await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        self.read(number(PREKEY, id)).await
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let keys: Vec<_> = ids.iter().map(|id| number(PREKEY, *id)).collect();
        let found = self.read_all(&keys).await?;
        Ok(ids.iter().zip(found).filter_map(|(id, record)| record.map(|record| (*id, record))).collect())
    }

    /// Writes nothing, see [`StateBackend::store_prekey`]; so a key that was used meanwhile can't come back either.
    async fn mark_prekeys_uploaded(&self, _ids: &[u32]) -> Result<()> {
        Ok(())
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.delete(number(PREKEY, id)).await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        let keys = self.scan(PREKEY, "").await?;
        keys.last().map_or(Ok(0), |(key, _)| read_number(key).ok_or_else(|| unreadable(PREKEY, "a key is no number")))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.put(number(SIGNED_PREKEY, id), Bytes::copy_from_slice(record)).await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        Ok(self.read(number(SIGNED_PREKEY, id)).await?.map(Vec::from))
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let found = self.scan(SIGNED_PREKEY, "").await?;
        found
            .into_iter()
            .map(|(key, record)| {
                let id = read_number(&key).ok_or_else(|| unreadable(SIGNED_PREKEY, "a key is no number"))?;
                Ok((id, Vec::from(record)))
            })
            .collect()
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.delete(number(SIGNED_PREKEY, id)).await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        self.put(plain(SENDER_KEY, address), Bytes::copy_from_slice(record)).await
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.put_all(sender_keys.iter().map(|(address, record)| (plain(SENDER_KEY, address), record.clone()))).await
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read(plain(SENDER_KEY, address)).await?.map(Vec::from))
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.delete(plain(SENDER_KEY, address)).await
    }
}
