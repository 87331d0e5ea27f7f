//! A phone as it is kept across restarts. Its messages are kept apart, in pieces.

use serde::{Deserialize, Serialize};
use wacore::libsignal::protocol::{
    IdentityKey, IdentityKeyPair, KeyPair, PrivateKey, ProtocolAddress, SenderKeyRecord, SessionRecord,
    SignalProtocolError,
};
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use super::actor::{Phone, PhoneBehaviour, Written};
use super::app_state::NameState;
use super::inbox::{Inbox, OutgoingMessage};
use super::sender_keys::SenderKeys;
use super::signal_store::SignalStore;
use crate::account::{DeviceAddress, PhoneNumber};
use crate::group::GroupId;
use crate::state::Base64;

/// One-time keys that may have been handed out after the last save: their numbers are not used again.
const NUMBERS_LOST: u32 = 1000;

/// A name and a device number of Signal, and what is stored under them.
#[derive(Serialize, Deserialize)]
struct Addressed(String, u32, Base64);

#[derive(Serialize, Deserialize)]
struct SignalRecord {
    identity: Base64,
    registration_id: u32,
    signed: Base64,
    signature: Base64,
    one_time: Vec<(u32, Base64)>,
    last_one_time: u32,
    sessions: Vec<Addressed>,
    known: Vec<Addressed>,
}

/// Group and sender, and the key.
#[derive(Serialize, Deserialize)]
struct SenderKey(String, Base64);

/// The keys of groups: others' and the phone's own, and which devices have the latter.
#[derive(Default, Serialize, Deserialize)]
struct SenderKeysRecord {
    keys: Vec<SenderKey>,
    given: Vec<(GroupId, PhoneNumber, u16)>,
}

#[derive(Serialize, Deserialize)]
struct WrittenRecord {
    message: OutgoingMessage,
    plaintext: Base64,
}

/// All of a phone but its messages.
#[derive(Serialize, Deserialize)]
pub(crate) struct PhoneRecord {
    signal: SignalRecord,
    /// States from before there were groups have none.
    #[serde(default)]
    sender_keys: SenderKeysRecord,
    raw_id: u32,
    behaviour: PhoneBehaviour,
    app_state_key: Option<Base64>,
    asked: Vec<(PhoneNumber, String)>,
    unreadable: Vec<(PhoneNumber, String, u32)>,
    written: Vec<WrittenRecord>,
}

fn key_pair(private: &Base64) -> Result<KeyPair, String> {
    let private_key = PrivateKey::deserialize(&private.0).map_err(|error| error.to_string())?;
    let public_key = private_key.public_key().map_err(|error| error.to_string())?;
    Ok(KeyPair { public_key, private_key })
}

fn signal_error(error: &SignalProtocolError) -> String {
    error.to_string()
}

impl SignalRecord {
    fn of(signal: &SignalStore) -> Result<Self, SignalProtocolError> {
        let mut sessions = Vec::new();
        for (address, session) in &signal.sessions.0 {
            let device = address.device_id().into();
            sessions.push(Addressed(address.name().to_owned(), device, session.serialize()?.into()));
        }
        let known = signal.identities.known.iter().map(|(address, identity)| {
            Addressed(address.name().to_owned(), address.device_id().into(), identity.serialize().into())
        });
        let mut known: Vec<_> = known.collect();
        let mut one_time: Vec<_> =
            signal.one_time.0.iter().map(|(id, pair)| (*id, pair.private_key.serialize().into())).collect();
        // In a fixed order, so that what did not change is written alike.
        sessions.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        known.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        one_time.sort_unstable_by_key(|(id, _)| *id);
        Ok(Self {
            identity: signal.identities.own.private_key().serialize().into(),
            registration_id: signal.identities.registration_id,
            signed: signal.signed.pair.private_key.serialize().into(),
            signature: signal.signed.signature.into(),
            one_time,
            last_one_time: signal.last_one_time,
            sessions,
            known,
        })
    }

    fn into_store(self, rng: rand::rngs::StdRng) -> Result<SignalStore, String> {
        let own = key_pair(&self.identity)?;
        let own = IdentityKeyPair::new(IdentityKey::new(own.public_key), own.private_key);
        let mut store =
            SignalStore::with_keys(own, self.registration_id, key_pair(&self.signed)?, self.signature.array()?, rng);
        for (id, private) in &self.one_time {
            store.one_time.0.insert(*id, key_pair(private)?);
        }
        store.last_one_time = self.last_one_time.saturating_add(NUMBERS_LOST);
        for Addressed(name, device, bytes) in &self.sessions {
            let session = SessionRecord::deserialize(&bytes.0).map_err(|error| signal_error(&error))?;
            store.sessions.0.insert(ProtocolAddress::new(name, (*device).into()), session);
        }
        for Addressed(name, device, bytes) in &self.known {
            let identity = IdentityKey::decode(&bytes.0).map_err(|error| error.to_string())?;
            store.identities.known.insert(ProtocolAddress::new(name, (*device).into()), identity);
        }
        Ok(store)
    }
}

impl SenderKeysRecord {
    fn of(own: &SenderKeys) -> Result<Self, SignalProtocolError> {
        let mut keys = Vec::new();
        for (name, key) in &own.records.0 {
            keys.push(SenderKey(name.clone(), key.serialize()?.into()));
        }
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let given = own
            .given
            .iter()
            .flat_map(|(group, devices)| devices.iter().map(|device| (*group, device.account, device.device)));
        let mut given: Vec<_> = given.collect();
        given.sort_unstable();
        Ok(Self { keys, given })
    }

    fn into_keys(self) -> Result<SenderKeys, String> {
        let mut own = SenderKeys::default();
        for SenderKey(name, bytes) in self.keys {
            let key = SenderKeyRecord::deserialize(&bytes.0).map_err(|error| signal_error(&error))?;
            own.records.0.insert(name, key);
        }
        for (group, account, device) in self.given {
            own.note_given(group, DeviceAddress { account, device });
        }
        Ok(own)
    }
}

impl PhoneRecord {
    pub(crate) fn of(phone: &Phone) -> Result<Self, SignalProtocolError> {
        let mut asked: Vec<_> = phone.asked.iter().cloned().collect();
        asked.sort_unstable();
        let written = phone.written.iter().map(|Written { message, plaintext }| WrittenRecord {
            message: message.clone(),
            plaintext: plaintext.into(),
        });
        Ok(Self {
            signal: SignalRecord::of(&phone.signal)?,
            sender_keys: SenderKeysRecord::of(&phone.sender_keys)?,
            raw_id: phone.raw_id,
            behaviour: phone.behaviour,
            app_state_key: phone.app_state_key.as_ref().map(|(key, _)| key.encode_to_vec().into()),
            asked,
            unreadable: phone.inbox.unreadable_counts(),
            written: written.collect(),
        })
    }

    /// The phone, with the messages of its inbox.
    pub(crate) fn into_phone(self, mut inbox: Inbox, rng: rand::rngs::StdRng) -> Result<Phone, String> {
        let app_state_key = match &self.app_state_key {
            Some(bytes) => Some(
                wa::message::AppStateSyncKey::decode_from_slice(&bytes.0)
                    .map_err(|error| format!("the app-state key does not parse: {error}"))?,
            ),
            None => None,
        };
        inbox.set_unreadable_counts(self.unreadable);
        let mut phone = Phone::with_signal(self.signal.into_store(rng)?, self.raw_id, self.behaviour);
        phone.sender_keys = self.sender_keys.into_keys()?;
        phone.inbox = inbox;
        phone.app_state_key = app_state_key.map(|key| {
            let names = NameState::of(&key);
            (key, names)
        });
        phone.asked = self.asked.into_iter().collect();
        phone.written = self
            .written
            .into_iter()
            .map(|WrittenRecord { message, plaintext }| Written { message, plaintext: plaintext.0 })
            .collect();
        Ok(phone)
    }
}
