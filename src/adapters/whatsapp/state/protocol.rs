//! What the protocol remembers beside Signal: LIDs, device lists, privacy tokens, messages on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::port::{StateBatch, StatePut};
use whatsapp_rust::wacore::store::error::Result;
use whatsapp_rust::wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore, TcTokenEntry,
};

use super::keys::{
    BASE_KEY, DEVICE_LIST, GROUP, INBOUND, LID, LID_OF_PHONE, SENDER_KEY_DEVICE, SENT, TC_TOKEN, joined, plain, prefix,
    second_part,
};
use super::repeatable;
use super::{StateBackend, StateKey, decode, encode, from_secs, unreadable};

/// How long a sent message waits for the recipient's request to encrypt it again. The library sweeps by a cut-off
/// ("older than"), the store by an end; the span turns one into the other.
const SENT_KEPT: Duration = Duration::from_hours(2);
/// The same for a message received that could not be handed over: as long as WhatsApp delivers it again.
const INBOUND_KEPT: Duration = Duration::from_hours(7 * 24);

#[async_trait]
impl ProtocolStore for StateBackend {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        let found = self.scan(SENDER_KEY_DEVICE, &prefix(group_jid)).await?;
        found.into_iter().map(|(key, has_key)| Ok((device_of(&key)?, has_key[..] == *b"1"))).collect()
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        let _writing = self.locks.sender_key_devices.lock().await;
        self.put_all(entries.iter().map(|(device, has_key)| {
            let value: &[u8] = if *has_key { b"1" } else { b"0" };
            (joined(SENDER_KEY_DEVICE, &[group_jid, device]), Bytes::from_static(value))
        }))
        .await
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        self.clear_area(SENDER_KEY_DEVICE, &prefix(group_jid), |_| Ok(true)).await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        if device_jids.is_empty() {
            return Ok(());
        }
        let gone: BTreeSet<&str> = device_jids.iter().copied().collect();
        self.clear_area(SENDER_KEY_DEVICE, "", |key| Ok(gone.contains(device_of(key)?.as_str()))).await
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.clear_area(SENDER_KEY_DEVICE, "", |_| Ok(true)).await
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.read(plain(LID, lid)).await?.map(|bytes| decode(&bytes)).transpose()
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let Some(lid) = self.read(plain(LID_OF_PHONE, phone)).await? else { return Ok(None) };
        self.get_lid_mapping(lid_text(&lid)?).await
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let _writing = self.locks.lids.lock().await;
        let keys: Vec<_> = entries.iter().map(|entry| plain(LID, &entry.lid)).collect();
        let mut phones: BTreeMap<&str, String> = BTreeMap::new();
        for (entry, bytes) in entries.iter().zip(self.read_all(&keys).await?) {
            if let Some(bytes) = bytes {
                phones.insert(&entry.lid, decode::<LidPnMappingEntry>(&bytes)?.phone_number);
            }
        }
        // The state after all entries, in their order: what a place ends as, or that it ends empty.
        let mut places: BTreeMap<StateKey, Option<Bytes>> = BTreeMap::new();
        for (entry, at) in entries.iter().zip(keys) {
            // A LID that changes its number must not be found under the old one any more.
            if let Some(old) = phones.insert(&entry.lid, entry.phone_number.clone())
                && old != entry.phone_number
            {
                places.insert(plain(LID_OF_PHONE, &old), None);
            }
            let lid = Bytes::copy_from_slice(entry.lid.as_bytes());
            places.insert(plain(LID_OF_PHONE, &entry.phone_number), Some(lid));
            places.insert(at, Some(encode(entry)?));
        }
        let mut batch = StateBatch::default();
        for (at, value) in places {
            match value {
                Some(value) => batch.puts.push(StatePut { at, value, expires_at: None }),
                None => batch.deletes.push(at),
            }
        }
        self.write(batch).await
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        self.scan(LID, "").await?.into_iter().map(|(_, bytes)| decode(&bytes)).collect()
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        self.put(joined(BASE_KEY, &[address, message_id]), Bytes::copy_from_slice(base_key)).await
    }

    async fn has_same_base_key(&self, address: &str, message_id: &str, current_base_key: &[u8]) -> Result<bool> {
        let saved = self.read(joined(BASE_KEY, &[address, message_id])).await?;
        Ok(saved.is_some_and(|saved| saved[..] == *current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        self.delete(joined(BASE_KEY, &[address, message_id])).await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        let values: Result<Vec<_>> =
            records.iter().map(|record| Ok((plain(DEVICE_LIST, &record.user), encode(record)?))).collect();
        self.put_all(values?).await
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        self.read(plain(DEVICE_LIST, user)).await?.map(|bytes| decode(&bytes)).transpose()
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.delete(plain(DEVICE_LIST, user)).await
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read(plain(GROUP, group_jid)).await?.map(Vec::from))
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        self.put(plain(GROUP, group_jid), Bytes::copy_from_slice(blob)).await
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        self.delete(plain(GROUP, group_jid)).await
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        self.read(plain(TC_TOKEN, jid)).await?.map(|bytes| decode(&bytes)).transpose()
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        let _writing = self.locks.tokens.lock().await;
        self.put(plain(TC_TOKEN, jid), encode(entry)?).await
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        let _writing = self.locks.tokens.lock().await;
        self.delete(plain(TC_TOKEN, jid)).await
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        Ok(self.scan(TC_TOKEN, "").await?.into_iter().map(|(jid, _)| jid).collect())
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        let _writing = self.locks.tokens.lock().await;
        let mut stale = Vec::new();
        for (jid, bytes) in self.scan(TC_TOKEN, "").await? {
            let entry: TcTokenEntry = decode(&bytes)?;
            let token_lives = !entry.token.is_empty() && entry.token_timestamp >= token_cutoff;
            let sender_lives = entry.sender_timestamp.is_some_and(|at| at >= sender_cutoff);
            if !token_lives && !sender_lives {
                stale.push(plain(TC_TOKEN, &jid));
            }
        }
        let count = u32::try_from(stale.len()).unwrap_or(u32::MAX);
        self.delete_all(stale).await?;
        Ok(count)
    }

    async fn touch_tc_token_sender_timestamp(&self, jid: &str, sender_timestamp: i64) -> Result<()> {
        let _writing = self.locks.tokens.lock().await;
        let mut entry = self.get_tc_token(jid).await?.unwrap_or_else(|| TcTokenEntry {
            token: Vec::new(),
            token_timestamp: sender_timestamp,
            sender_timestamp: None,
        });
        // `None` is before every moment.
        entry.sender_timestamp = entry.sender_timestamp.max(Some(sender_timestamp));
        self.put(plain(TC_TOKEN, jid), encode(&entry)?).await
    }

    async fn store_received_tc_token(&self, jid: &str, token: &[u8], token_timestamp: i64) -> Result<()> {
        let _writing = self.locks.tokens.lock().await;
        let known = self.get_tc_token(jid).await?;
        if known.as_ref().is_some_and(|known| !known.token.is_empty() && token_timestamp < known.token_timestamp) {
            return Ok(());
        }
        let sender_timestamp = known.and_then(|known| known.sender_timestamp);
        let entry = TcTokenEntry { token: token.to_vec(), token_timestamp, sender_timestamp };
        self.put(plain(TC_TOKEN, jid), encode(&entry)?).await
    }

    async fn store_sent_message(&self, chat_jid: &str, message_id: &str, payload: &[u8]) -> Result<()> {
        let _writing = self.locks.sent.lock().await;
        let not_after = self.repeatable.take(message_id);
        let put = StatePut {
            at: joined(SENT, &[chat_jid, message_id]),
            value: repeatable::encode(payload, not_after),
            expires_at: Some(self.clock.now().plus(SENT_KEPT)),
        };
        self.write(StateBatch { puts: vec![put], deletes: Vec::new() }).await
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        let _writing = self.locks.sent.lock().await;
        let at = joined(SENT, &[chat_jid, message_id]);
        let Some(payload) = self.read(at.clone()).await? else { return Ok(None) };
        self.delete(at).await?;
        let Some((not_after, payload)) = repeatable::decode(&payload) else {
            return Err(unreadable(SENT, "a message that was sent"));
        };
        if let Some(not_after) = not_after {
            if self.clock.now() >= not_after {
                tracing::debug!("a message is not sent again: its time is over");
                return Ok(None);
            }
            // It is stored again right after this, for the other devices.
            self.limit_repetition(message_id, not_after);
            if let Some(writes) = &self.writes {
                writes.repeat(message_id, not_after);
            }
        }
        Ok(Some(payload.to_vec()))
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        let _writing = self.locks.sent.lock().await;
        self.delete_expired(SENT, end_of_older_than(cutoff_timestamp, SENT_KEPT)).await
    }

    async fn store_pending_inbound(&self, chat: &str, sender: &str, id: &str, message: &[u8]) -> Result<()> {
        self.store_pending_inbound_batch(&[PendingInboundRow { chat, sender, id, message }]).await
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        let expires_at = Some(self.clock.now().plus(INBOUND_KEPT));
        let puts = rows
            .iter()
            .map(|row| StatePut {
                at: joined(INBOUND, &[row.chat, row.sender, row.id]),
                value: Bytes::copy_from_slice(row.message),
                expires_at,
            })
            .collect();
        self.write(StateBatch { puts, deletes: Vec::new() }).await
    }

    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read(joined(INBOUND, &[chat, sender, id])).await?.map(Vec::from))
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.delete(joined(INBOUND, &[chat, sender, id])).await
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        self.delete_all(keys.iter().map(|key| joined(INBOUND, &[key.chat, key.sender, key.id])).collect()).await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.delete_expired(INBOUND, end_of_older_than(cutoff_timestamp, INBOUND_KEPT)).await
    }
}

impl StateBackend {
    /// Removes the keys of an area that start with `prefix` and that `gone` picks.
    async fn clear_area(
        &self,
        area: &'static str,
        prefix: &str,
        gone: impl Fn(&str) -> Result<bool> + Send,
    ) -> Result<()> {
        let _writing = self.locks.sender_key_devices.lock().await;
        let mut deletes = Vec::new();
        for (key, _) in self.scan(area, prefix).await? {
            if gone(&key)? {
                deletes.push(StateKey::new(area, key));
            }
        }
        self.delete_all(deletes).await
    }
}

/// The end up to which values must go when all written before `cutoff` (Unix seconds) are to go; what was written in
/// the cut-off's own second stays.
fn end_of_older_than(cutoff: i64, kept: Duration) -> super::Timestamp {
    from_secs(cutoff).minus(Duration::from_millis(1)).plus(kept)
}

fn device_of(key: &str) -> Result<String> {
    second_part(key).ok_or_else(|| unreadable(SENDER_KEY_DEVICE, "a key has a group and a device"))
}

fn lid_text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| unreadable(LID_OF_PHONE, "a LID is text"))
}
