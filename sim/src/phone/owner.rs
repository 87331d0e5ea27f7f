//! What the owner of a phone does besides writing: names the account, links devices to its
//! synchronised state, loses the phone and gets a new one.

use rand::rngs::StdRng;
use wacore::libsignal::protocol::CurveError;
use wacore::messages::MessageUtils;
use waproto::whatsapp as wa;

use super::actor::{Phone, signal_address};
use super::app_state::NameState;
use super::signal_store::SignalStore;
use crate::account::DeviceAddress;

/// The name of a phone whose owner gave it none.
const DEFAULT_NAME: &str = "Simulated phone";

impl Phone {
    /// The name that the account's contacts see.
    pub(crate) fn name(&self) -> &str {
        match &self.app_state_key {
            Some((_, names)) if !names.name().is_empty() => names.name(),
            _ => DEFAULT_NAME,
        }
    }

    /// The key with which own devices encrypt what they synchronise, as a message (id and plaintext)
    /// for a new device. `now` is in milliseconds since 1970.
    pub(crate) fn app_state_keys(&mut self, now: u64) -> (String, Vec<u8>) {
        self.names(now);
        let keys = self.app_state_key.iter().map(|(key, _)| key.clone()).collect();
        let share = wa::message::AppStateSyncKeyShare { keys };
        let plaintext = MessageUtils::encode_and_pad(&wa::Message {
            protocol_message: wa::message::ProtocolMessage {
                r#type: Some(wa::message::protocol_message::Type::APP_STATE_SYNC_KEY_SHARE),
                app_state_sync_key_share: share.into(),
                ..Default::default()
            }
            .into(),
            ..Default::default()
        });
        (self.new_id(), plaintext)
    }

    /// A patch that changes the account's name. `version` is the patch's own, `now` is in
    /// milliseconds since 1970.
    pub(crate) fn name_patch(&mut self, collection: &str, version: u64, name: &str, now: u64) -> wa::SyncdPatch {
        let iv = self.signal.random();
        self.names(now).patch(collection, version, name, now, iv)
    }

    /// Reads a patch with which a device may have changed the account's name.
    pub(crate) fn read_name_patch(&mut self, patch: &wa::SyncdPatch, version: u64) {
        if let Some((_, names)) = &mut self.app_state_key {
            names.read(patch, version);
        }
    }

    fn names(&mut self, now: u64) -> &mut NameState {
        let (signal, raw_id) = (&mut self.signal, self.raw_id);
        let (_, names) = self.app_state_key.get_or_insert_with(|| {
            let (id, data) = (signal.random(), signal.random());
            (app_state_key(id, data, raw_id, now), NameState::new(id.to_vec(), &data))
        });
        names
    }

    /// Gets a new identity and forgets every session, as after a reinstallation without a backup.
    /// What the inbox shows stays, because it tells what arrived.
    pub(crate) fn reinstall(&mut self, rng: StdRng) -> Result<(), CurveError> {
        self.signal = SignalStore::generate(rng)?;
        self.raw_id = u32::from_be_bytes(self.signal.random()) >> 1;
        self.app_state_key = None;
        Ok(())
    }

    /// Forgets the session with a device, whose keys are no longer good.
    pub(crate) fn forget_session(&mut self, with: DeviceAddress) {
        self.signal.forget_session(&signal_address(with));
    }
}

fn app_state_key(id: [u8; 6], data: [u8; 32], raw_id: u32, now: u64) -> wa::message::AppStateSyncKey {
    wa::message::AppStateSyncKey {
        key_id: wa::message::AppStateSyncKeyId { key_id: Some(id.to_vec()) }.into(),
        key_data: wa::message::AppStateSyncKeyData {
            key_data: Some(data.to_vec()),
            fingerprint: wa::message::AppStateSyncKeyFingerprint {
                raw_id: Some(raw_id),
                current_index: Some(0),
                device_indexes: vec![0],
            }
            .into(),
            timestamp: Some(i64::try_from(now).unwrap_or(i64::MAX)),
        }
        .into(),
    }
}
