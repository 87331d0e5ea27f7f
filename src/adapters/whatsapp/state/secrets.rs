//! Message secrets: 32 bytes a message, by which later reactions, edits and votes on it are read.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use kurir_core::port::{StateBatch, StatePut};
use whatsapp_rust::wacore::store::error::Result;
use whatsapp_rust::wacore::store::traits::{
    MessageSecret, MsgSecretEntry, MsgSecretStore, merge_msg_secret_expiry, merge_msg_secret_message_ts,
};

use super::keys::{MSG_SECRET, joined};
use super::{StateBackend, StateKey, from_secs, unreadable};

/// What is stored of a message: the secret, then both times as big-endian seconds.
struct Row {
    secret: MessageSecret,
    expires_at: i64,
    message_ts: i64,
}

impl Row {
    fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.secret.len() + 16);
        bytes.put_slice(&self.secret);
        bytes.put_i64(self.expires_at);
        bytes.put_i64(self.message_ts);
        bytes.freeze()
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let row = || {
            let (secret, rest) = bytes.split_first_chunk()?;
            let (expires_at, rest) = rest.split_first_chunk()?;
            let message_ts = rest.try_into().ok()?;
            Some(Self {
                secret: *secret,
                expires_at: i64::from_be_bytes(*expires_at),
                message_ts: i64::from_be_bytes(message_ts),
            })
        };
        row().ok_or_else(|| unreadable(MSG_SECRET, "a secret has 32 bytes and two times"))
    }
}

#[async_trait]
impl MsgSecretStore for StateBackend {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        let _writing = self.locks.secrets.lock().await;
        let stored = entries.len();
        let keys: Vec<_> = entries.iter().map(|entry| key(&entry.chat, &entry.sender, &entry.msg_id)).collect();
        let found = self.read_all(&keys).await?;
        let mut rows: BTreeMap<StateKey, Row> = BTreeMap::new();
        for (at, bytes) in keys.iter().zip(found) {
            if let Some(bytes) = bytes {
                rows.insert(at.clone(), Row::read(&bytes)?);
            }
        }
        // An entry may repeat a message that stands earlier in the same call, so rows grow as they are merged.
        for (at, entry) in keys.into_iter().zip(entries) {
            let (expires_at, message_ts) = rows.get(&at).map_or((entry.expires_at, entry.message_ts), |row| {
                (
                    merge_msg_secret_expiry(row.expires_at, entry.expires_at),
                    merge_msg_secret_message_ts(row.message_ts, entry.message_ts),
                )
            });
            rows.insert(at, Row { secret: entry.secret, expires_at, message_ts });
        }
        let puts = rows
            .into_iter()
            .map(|(at, row)| StatePut {
                at,
                value: row.to_bytes(),
                // 0 says: never.
                expires_at: (row.expires_at != 0).then(|| from_secs(row.expires_at)),
            })
            .collect();
        self.write(StateBatch { puts, deletes: Vec::new() }).await?;
        Ok(stored)
    }

    async fn get_msg_secret(&self, chat: &str, sender: &str, msg_id: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_msg_secret_with_ts(chat, sender, msg_id).await?.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(&self, chat: &str, sender: &str, msg_id: &str) -> Result<Option<(Vec<u8>, i64)>> {
        let found = self.read(key(chat, sender, msg_id)).await?;
        found.map(|bytes| Row::read(&bytes).map(|row| (row.secret.to_vec(), row.message_ts))).transpose()
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        let _writing = self.locks.secrets.lock().await;
        self.delete_expired(MSG_SECRET, from_secs(cutoff_timestamp)).await
    }
}

fn key(chat: &str, sender: &str, msg_id: &str) -> StateKey {
    joined(MSG_SECRET, &[chat, sender, msg_id])
}
