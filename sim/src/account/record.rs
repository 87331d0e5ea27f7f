//! An account's devices as they are kept across restarts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wacore_binary::marshal::{marshal, unmarshal_ref};

use super::device::{Device, NewDevice};
use super::mailbox::KINDS;
use super::registry::{BanOrder, Devices};
use super::{DeviceAddress, Mailbox, PhoneNumber, PreKeyPool, SignedPreKey, Stanza, StanzaClass};
use crate::state::Base64;

/// The list of linked devices, and the ban.
#[derive(Serialize, Deserialize)]
pub(crate) struct DevicesRecord {
    linked: Vec<u16>,
    last_id: u16,
    banned: bool,
    banned_until: Option<u64>,
}

/// A linked device, without its mailbox.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceRecord {
    key_index: u32,
    noise_static: Base64,
    signed_identity: Base64,
    name: String,
    linked_at: u64,
    registration_id: u32,
    identity: Base64,
    signed_id: u32,
    signed: Base64,
    signature: Base64,
    one_time: Vec<(u32, Base64)>,
}

#[derive(Serialize, Deserialize)]
enum ClassRecord {
    Message,
    Receipt,
    Notification,
}

#[derive(Serialize, Deserialize)]
struct StanzaRecord {
    class: ClassRecord,
    id: String,
    kind: Option<String>,
    node: Base64,
}

/// What a device has not acknowledged, oldest first.
#[derive(Serialize, Deserialize)]
pub(crate) struct MailboxRecord(Vec<StanzaRecord>);

impl DevicesRecord {
    pub(crate) fn of(devices: &Devices) -> Self {
        Self {
            linked: devices.linked.keys().copied().collect(),
            last_id: devices.last_id,
            banned: devices.ban_order.is_some(),
            banned_until: devices.ban_order.and_then(|order| order.until),
        }
    }

    /// The devices of `account`; `record` and `mail` give what is kept for each.
    pub(crate) fn into_devices(
        self,
        account: PhoneNumber,
        mailbox_limit: usize,
        mut record: impl FnMut(u16) -> Result<DeviceRecord, String>,
        mut mail: impl FnMut(u16) -> Result<Option<MailboxRecord>, String>,
    ) -> Result<Devices, String> {
        let mut devices = Devices { last_id: self.last_id, ..Devices::default() };
        devices.ban_order = self.banned.then_some(BanOrder { until: self.banned_until });
        for id in self.linked {
            let device = record(id)?.into_device(DeviceAddress { account, device: id }, mailbox_limit)?;
            if let Some(mail) = mail(id)? {
                mail.fill(&device.mailbox)?;
            }
            devices.linked.insert(id, Arc::new(device));
        }
        Ok(devices)
    }
}

impl DeviceRecord {
    pub(crate) fn of(device: &Device) -> Self {
        device.look_at_keys(|keys| Self {
            key_index: device.key_index,
            noise_static: device.noise_static.into(),
            signed_identity: (&device.signed_identity).into(),
            name: device.name.clone(),
            linked_at: device.linked_at,
            registration_id: keys.registration_id,
            identity: keys.identity.into(),
            signed_id: keys.signed.id,
            signed: keys.signed.public.into(),
            signature: (&keys.signed.signature).into(),
            one_time: keys.one_time().map(|(id, key)| (*id, key.into())).collect(),
        })
    }

    fn into_device(self, address: DeviceAddress, mailbox_limit: usize) -> Result<Device, String> {
        let signed = SignedPreKey { id: self.signed_id, public: self.signed.array()?, signature: self.signature.0 };
        let mut keys = PreKeyPool::new(self.registration_id, self.identity.array()?, signed);
        let one_time: Result<Vec<_>, String> =
            self.one_time.into_iter().map(|(id, key)| Ok((id, key.array()?))).collect();
        keys.upload(one_time?);
        Ok(Device::new(NewDevice {
            address,
            key_index: self.key_index,
            noise_static: self.noise_static.array()?,
            signed_identity: self.signed_identity.0,
            name: self.name,
            linked_at: self.linked_at,
            keys,
            mailbox_limit,
        }))
    }
}

impl MailboxRecord {
    /// `None` when nothing waits.
    pub(crate) fn of(mailbox: &Mailbox) -> Option<Self> {
        let mut stanzas = Vec::new();
        mailbox.for_each(|stanza| match marshal(&stanza.node) {
            Ok(node) => stanzas.push(StanzaRecord {
                class: match stanza.class {
                    StanzaClass::Message => ClassRecord::Message,
                    StanzaClass::Receipt => ClassRecord::Receipt,
                    StanzaClass::Notification => ClassRecord::Notification,
                },
                id: stanza.id.clone(),
                kind: stanza.kind.map(str::to_owned),
                node: node.into(),
            }),
            // It could not be sent either.
            Err(error) => tracing::warn!(%error, "a waiting stanza can't be encoded"),
        });
        (!stanzas.is_empty()).then_some(Self(stanzas))
    }

    fn fill(self, mailbox: &Mailbox) -> Result<(), String> {
        for record in self.0 {
            let plain = wacore_binary::util::unpack(&record.node.0).map_err(|error| error.to_string())?;
            let node = unmarshal_ref(&plain).map_err(|error| error.to_string())?.to_owned();
            let kind = match &record.kind {
                None => None,
                Some(text) => {
                    let known = KINDS.iter().find(|kind| *kind == text);
                    Some(*known.ok_or_else(|| format!("a stanza of the unknown kind '{text}'"))?)
                }
            };
            let class = match record.class {
                ClassRecord::Message => StanzaClass::Message,
                ClassRecord::Receipt => StanzaClass::Receipt,
                ClassRecord::Notification => StanzaClass::Notification,
            };
            mailbox.push(Stanza { class, id: record.id, kind, node });
        }
        Ok(())
    }
}
