//! Every method of the client's backend as a call over a small space of keys, so that calls meet often.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use whatsapp_rust::wacore::appstate::hash::HashState;
use whatsapp_rust::wacore::appstate::processor::AppStateMutationMAC;
use whatsapp_rust::wacore::store::Device;
use whatsapp_rust::wacore::store::traits::{
    AppStateSyncKey, Backend, DeviceInfo, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry, PendingInboundKey,
    PendingInboundRow, TcTokenEntry,
};

macro_rules! calls {
    ($($name:ident),+ $(,)?) => {
        /// A method of the backend.
        #[derive(Clone, Copy, Debug)]
        pub enum Method { $($name),+ }
        impl Method {
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

calls!(
    PutIdentity,
    PutIdentities,
    LoadIdentity,
    DeleteIdentity,
    PutSession,
    PutSessions,
    GetSession,
    HasSession,
    DeleteSession,
    HasStateForUser,
    StorePrekey,
    StorePrekeys,
    LoadPrekey,
    LoadPrekeys,
    MarkUploaded,
    RemovePrekey,
    MaxPrekey,
    StoreSigned,
    LoadSigned,
    AllSigned,
    RemoveSigned,
    PutSenderKey,
    PutSenderKeys,
    GetSenderKey,
    DeleteSenderKey,
    SetSyncKey,
    GetSyncKey,
    LatestSyncKey,
    SetVersion,
    GetVersion,
    PutMacs,
    GetMac,
    GetMacs,
    DeleteMacs,
    ClearMacs,
    SetSenderKeyStatus,
    SenderKeyDevices,
    ClearSenderKeyDevices,
    ClearAllSenderKeyDevices,
    DeleteSenderKeyDeviceRows,
    PutLid,
    PutLids,
    GetLid,
    GetPn,
    AllLids,
    SaveBaseKey,
    SameBaseKey,
    DeleteBaseKey,
    UpdateDevices,
    UpdateDeviceLists,
    GetDevices,
    DeleteDevices,
    PutGroup,
    GetGroup,
    DeleteGroup,
    PutToken,
    GetToken,
    DeleteToken,
    TokenJids,
    ExpireTokens,
    TouchToken,
    ReceiveToken,
    StoreSent,
    TakeSent,
    ExpireSent,
    StoreInbound,
    StoreInbounds,
    GetInbound,
    DeleteInbound,
    DeleteInbounds,
    ExpireInbound,
    PutSecret,
    PutSecrets,
    GetSecret,
    GetSecretTs,
    ExpireSecrets,
    SaveDevice,
    LoadDevice,
    DeviceExists,
    CreateDevice,
);

/// A method with its arguments: which keys (`a`, `b`) and which value (`v`).
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub method: Method,
    pub a: usize,
    pub b: usize,
    pub v: u8,
}

pub fn call() -> impl Strategy<Value = Call> {
    (select(Method::ALL), 0..4_usize, 0..4_usize, 0..6_u8).prop_map(|(method, a, b, v)| Call { method, a, b, v })
}

/// One user's number is the start of another's, and names hold the characters that keys are put together with.
const ADDRESS: [&str; 4] = ["111:2@lid", "111@lid", "1112@lid", "6281%/x:1@s.whatsapp.net"];
const USER: [&str; 4] = ["111", "1112", "6281%/x", "9"];
const NAME: [&str; 4] = ["a", "a/b", "b", "a%2Fb"];
const PREKEY: [u32; 4] = [1, 9, 10, 16_777_215];

fn index(n: usize) -> [u8; 32] {
    [u8::try_from(n).expect("small"); 32]
}

fn lid(a: usize, b: usize, v: u8) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: USER[a].into(),
        phone_number: NAME[b].into(),
        created_at: i64::from(v),
        updated_at: 7,
        learning_source: "usync".into(),
    }
}

fn devices(a: usize, v: u8) -> DeviceListRecord {
    DeviceListRecord {
        user: USER[a].into(),
        devices: (0..u32::from(v)).map(|id| DeviceInfo::new(id, (id > 0).then_some(id))).collect(),
        timestamp: i64::from(v),
        phash: (v > 2).then(|| "2:x".into()),
        raw_id: (v > 3).then_some(3),
    }
}

/// Times that are far from now on either side, so that the second in which a call runs does not matter.
fn around(now: i64, v: u8) -> i64 {
    [0, now - 90_000, now - 3_600, now + 3_600, now + 90_000, now - 7_200][usize::from(v)]
}

fn secret(a: usize, b: usize, v: u8, now: i64) -> MsgSecretEntry {
    MsgSecretEntry {
        chat: Arc::from(NAME[a]),
        sender: Arc::from(NAME[b]),
        msg_id: Arc::from("M"),
        secret: [v; 32],
        expires_at: around(now, v),
        message_ts: i64::from(v) * 100,
    }
}

fn sorted<T: std::fmt::Debug>(values: impl IntoIterator<Item = T>) -> String {
    let mut texts: Vec<String> = values.into_iter().map(|value| format!("{value:?}")).collect();
    texts.sort();
    texts.join(";")
}

/// Makes the call and writes its answer down; answers without an order are sorted.
pub async fn make(backend: &dyn Backend, call: Call, now: i64, device: &Device) -> String {
    answer(backend, call, now, device).await.unwrap_or_else(|error| format!("error: {error}"))
}

#[allow(clippy::too_many_lines, reason = "one line per method of the backend")]
async fn answer(
    on: &dyn Backend,
    Call { method, a, b, v }: Call,
    now: i64,
    device: &Device,
) -> whatsapp_rust::wacore::store::error::Result<String> {
    let address: Arc<str> = Arc::from(ADDRESS[a]);
    let other: Arc<str> = Arc::from(ADDRESS[b]);
    let bytes = Bytes::from(vec![v; usize::from(v)]);
    let done = |()| "done".to_owned();
    Ok(match method {
        Method::PutIdentity => on.put_identity(&address, [v; 32]).await.map(done)?,
        Method::PutIdentities => {
            on.put_identities_batch(&[(address, [v; 32]), (other, [v + 1; 32])]).await.map(done)?
        }
        Method::LoadIdentity => format!("{:?}", on.load_identity(&address).await?),
        Method::DeleteIdentity => on.delete_identity(&address).await.map(done)?,
        Method::PutSession => on.put_session(&address, &bytes).await.map(done)?,
        Method::PutSessions => {
            on.put_sessions_batch(&[(address, bytes), (other, Bytes::from_static(b"other"))]).await.map(done)?
        }
        Method::GetSession => format!("{:?}", on.get_session(&address).await?),
        Method::HasSession => format!("{:?}", on.has_session(&address).await?),
        Method::DeleteSession => on.delete_session(&address).await.map(done)?,
        Method::HasStateForUser => format!("{:?}", on.has_signal_state_for_user(USER[a]).await?),
        Method::StorePrekey => on.store_prekey(PREKEY[a], &bytes, v > 3).await.map(done)?,
        Method::StorePrekeys => {
            on.store_prekeys_batch(&[(PREKEY[a], bytes), (PREKEY[b], Bytes::new())], false).await.map(done)?
        }
        Method::LoadPrekey => format!("{:?}", on.load_prekey(PREKEY[a]).await?),
        Method::LoadPrekeys => format!("{:?}", on.load_prekeys_batch(&[PREKEY[b], PREKEY[a], 5]).await?),
        Method::MarkUploaded => on.mark_prekeys_uploaded(&[PREKEY[a], PREKEY[b]]).await.map(done)?,
        Method::RemovePrekey => on.remove_prekey(PREKEY[a]).await.map(done)?,
        Method::MaxPrekey => on.get_max_prekey_id().await?.to_string(),
        Method::StoreSigned => on.store_signed_prekey(PREKEY[a], &bytes).await.map(done)?,
        Method::LoadSigned => format!("{:?}", on.load_signed_prekey(PREKEY[a]).await?),
        Method::AllSigned => sorted(on.load_all_signed_prekeys().await?),
        Method::RemoveSigned => on.remove_signed_prekey(PREKEY[a]).await.map(done)?,
        Method::PutSenderKey => on.put_sender_key(&address, &bytes).await.map(done)?,
        Method::PutSenderKeys => {
            on.put_sender_keys_batch(&[(address, bytes), (other, Bytes::new())]).await.map(done)?
        }
        Method::GetSenderKey => format!("{:?}", on.get_sender_key(&address).await?),
        Method::DeleteSenderKey => on.delete_sender_key(&address).await.map(done)?,
        Method::SetSyncKey => {
            let key = AppStateSyncKey { key_data: vec![v; 3], fingerprint: vec![v], timestamp: i64::from(v) };
            on.set_sync_key(NAME[a].as_bytes(), key).await.map(done)?
        }
        Method::GetSyncKey => format!("{:?}", on.get_sync_key(NAME[a].as_bytes()).await?),
        Method::LatestSyncKey => format!("{:?}", on.get_latest_sync_key_id().await?),
        Method::SetVersion => {
            let state = HashState { version: u64::from(v), hash: [v; 128], ..HashState::default() };
            on.set_version(NAME[a], state).await.map(done)?
        }
        Method::GetVersion => format!("{:?}", on.get_version(NAME[a]).await?),
        Method::PutMacs => {
            let mac = |n, value| AppStateMutationMAC { index_mac: index(n).to_vec(), value_mac: vec![value; 2] };
            on.put_mutation_macs(NAME[a], u64::from(v), &[mac(b, v), mac(3, v + 1)]).await.map(done)?
        }
        Method::GetMac => format!("{:?}", on.get_mutation_mac(NAME[a], &index(b)).await?),
        Method::GetMacs => sorted(on.get_mutation_macs(NAME[a], &[index(b), index(3)]).await?),
        Method::DeleteMacs => {
            on.delete_mutation_macs(NAME[a], &[index(b).to_vec(), index(0).to_vec()]).await.map(done)?
        }
        Method::ClearMacs => on.clear_mutation_macs(NAME[a]).await.map(done)?,
        Method::SetSenderKeyStatus => {
            on.set_sender_key_status(NAME[a], &[(ADDRESS[b], v > 2), (ADDRESS[3], v > 3)]).await.map(done)?
        }
        Method::SenderKeyDevices => sorted(on.get_sender_key_devices(NAME[a]).await?),
        Method::ClearSenderKeyDevices => on.clear_sender_key_devices(NAME[a]).await.map(done)?,
        Method::ClearAllSenderKeyDevices => on.clear_all_sender_key_devices().await.map(done)?,
        Method::DeleteSenderKeyDeviceRows => on.delete_sender_key_device_rows(&[ADDRESS[b]]).await.map(done)?,
        Method::PutLid => on.put_lid_mapping(&lid(a, b, v)).await.map(done)?,
        Method::PutLids => on.put_lid_mappings(&[lid(a, b, v), lid(b, a, v), lid(a, 3, v + 1)]).await.map(done)?,
        Method::GetLid => format!("{:?}", on.get_lid_mapping(USER[a]).await?),
        Method::GetPn => format!("{:?}", on.get_pn_mapping(NAME[a]).await?),
        Method::AllLids => sorted(on.get_all_lid_mappings().await?),
        Method::SaveBaseKey => on.save_base_key(NAME[a], NAME[b], &[v]).await.map(done)?,
        Method::SameBaseKey => format!("{:?}", on.has_same_base_key(NAME[a], NAME[b], &[v]).await?),
        Method::DeleteBaseKey => on.delete_base_key(NAME[a], NAME[b]).await.map(done)?,
        Method::UpdateDevices => on.update_device_list(devices(a, v)).await.map(done)?,
        Method::UpdateDeviceLists => on.update_device_lists(vec![devices(a, v), devices(b, v + 1)]).await.map(done)?,
        Method::GetDevices => format!("{:?}", on.get_devices(USER[a]).await?),
        Method::DeleteDevices => on.delete_devices(USER[a]).await.map(done)?,
        Method::PutGroup => on.put_group_metadata(NAME[a], &bytes).await.map(done)?,
        Method::GetGroup => format!("{:?}", on.get_group_metadata(NAME[a]).await?),
        Method::DeleteGroup => on.delete_group_metadata(NAME[a]).await.map(done)?,
        Method::PutToken => {
            let sender_timestamp = (v > 3).then_some(i64::from(v));
            let entry = TcTokenEntry { token: bytes.to_vec(), token_timestamp: i64::from(v), sender_timestamp };
            on.put_tc_token(NAME[a], &entry).await.map(done)?
        }
        Method::GetToken => format!("{:?}", on.get_tc_token(NAME[a]).await?),
        Method::DeleteToken => on.delete_tc_token(NAME[a]).await.map(done)?,
        Method::TokenJids => sorted(on.get_all_tc_token_jids().await?),
        Method::ExpireTokens => {
            on.delete_expired_tc_tokens(i64::from(v), i64::try_from(b).expect("small")).await?.to_string()
        }
        Method::TouchToken => on.touch_tc_token_sender_timestamp(NAME[a], i64::from(v)).await.map(done)?,
        Method::ReceiveToken => on.store_received_tc_token(NAME[a], &bytes, i64::from(v)).await.map(done)?,
        Method::StoreSent => on.store_sent_message(NAME[a], NAME[b], &bytes).await.map(done)?,
        Method::TakeSent => format!("{:?}", on.take_sent_message(NAME[a], NAME[b]).await?),
        Method::ExpireSent => on.delete_expired_sent_messages(around(now, v)).await?.to_string(),
        Method::StoreInbound => on.store_pending_inbound(NAME[a], NAME[b], "M", &bytes).await.map(done)?,
        Method::StoreInbounds => {
            let row = |chat, id| PendingInboundRow { chat, sender: NAME[b], id, message: &bytes };
            on.store_pending_inbound_batch(&[row(NAME[a], "M"), row(NAME[0], "N")]).await.map(done)?
        }
        Method::GetInbound => format!("{:?}", on.get_pending_inbound(NAME[a], NAME[b], "M").await?),
        Method::DeleteInbound => on.delete_pending_inbound(NAME[a], NAME[b], "M").await.map(done)?,
        Method::DeleteInbounds => {
            let key = |chat, id| PendingInboundKey { chat, sender: NAME[b], id };
            on.delete_pending_inbound_batch(&[key(NAME[a], "M"), key(NAME[0], "N")]).await.map(done)?
        }
        Method::ExpireInbound => on.delete_expired_pending_inbound(around(now, v)).await?.to_string(),
        Method::PutSecret => on.put_msg_secret(NAME[a], NAME[b], "M", &[v; 32]).await.map(done)?,
        Method::PutSecrets => {
            let entries = vec![secret(a, b, v, now), secret(a, b, 5 - v, now), secret(b, a, v, now)];
            on.put_msg_secrets(entries).await?.to_string()
        }
        Method::GetSecret => format!("{:?}", on.get_msg_secret(NAME[a], NAME[b], "M").await?),
        Method::GetSecretTs => format!("{:?}", on.get_msg_secret_with_ts(NAME[a], NAME[b], "M").await?),
        Method::ExpireSecrets => on.delete_expired_msg_secrets(around(now, v)).await?.to_string(),
        Method::SaveDevice => {
            let mut device = device.clone();
            device.push_name = NAME[a].into();
            device.next_pre_key_id = u32::from(v);
            on.save(&device).await.map(done)?
        }
        // A device that `create` made has keys of its own, so only what a save wrote is compared.
        Method::LoadDevice => on.load().await?.map_or_else(
            || "none".to_owned(),
            |found| format!("{} {} {}", found.push_name, found.next_pre_key_id, found.app_version_primary),
        ),
        Method::DeviceExists => on.exists().await?.to_string(),
        // The number it gives is a row's; a session has one row.
        Method::CreateDevice => on.create().await.map(|_| "created".to_owned())?,
    })
}
