//! The Signal state of one phone, in memory.
//!
//! The library's stores are asynchronous, these answer at once. So a whole operation completes in
//! its first poll, and a phone can be used under an ordinary lock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use wacore::libsignal::protocol::{
    CiphertextMessage, CurveError, Direction, GenericSignedPreKey, IdentityChange, IdentityKey, IdentityKeyPair,
    IdentityKeyStore, KeyPair, PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore, ProtocolAddress,
    SessionRecord, SessionStore, SignalMessage, SignalProtocolError, SignedPreKeyId, SignedPreKeyRecord,
    SignedPreKeyStore, Timestamp, UsePQRatchet, message_decrypt, message_encrypt, process_prekey_bundle,
};

type Result<T> = std::result::Result<T, SignalProtocolError>;

/// One-time keys count from 1 and are 24 bits wide on the wire.
const LAST_KEY_ID: u32 = 0x00FF_FFFF;
const SIGNED_KEY_ID: u32 = 1;

/// The two kinds of encrypted messages between two devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncKind {
    /// Opens a session (`pkmsg`).
    PreKey,
    /// Belongs to a session that both sides have (`msg`).
    Signal,
}

impl EncKind {
    pub(crate) fn from_wire(kind: &str) -> Option<Self> {
        match kind {
            "pkmsg" => Some(Self::PreKey),
            "msg" => Some(Self::Signal),
            _ => None,
        }
    }

    pub(crate) fn as_wire(self) -> &'static str {
        match self {
            Self::PreKey => "pkmsg",
            Self::Signal => "msg",
        }
    }
}

/// What a phone publishes so that others can open a session with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhoneBundle {
    pub registration_id: u32,
    pub identity: [u8; 32],
    pub signed_id: u32,
    pub signed: [u8; 32],
    pub signature: [u8; 64],
    pub one_time_id: u32,
    pub one_time: [u8; 32],
}

#[derive(Default)]
pub(super) struct Sessions(pub(super) HashMap<ProtocolAddress, SessionRecord>);

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        Ok(self.0.get(address).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Result<bool> {
        Ok(self.0.contains_key(address))
    }

    async fn store_session(&mut self, address: &ProtocolAddress, record: SessionRecord) -> Result<()> {
        self.0.insert(address.clone(), record);
        Ok(())
    }
}

pub(super) struct Identities {
    pub(super) own: IdentityKeyPair,
    pub(super) registration_id: u32,
    pub(super) known: HashMap<ProtocolAddress, IdentityKey>,
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(self.own.clone())
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(self.registration_id)
    }

    async fn save_identity(&mut self, address: &ProtocolAddress, identity: &IdentityKey) -> Result<IdentityChange> {
        Ok(match self.known.entry(address.clone()) {
            Entry::Occupied(mut known) if known.get() != identity => {
                known.insert(*identity);
                IdentityChange::ReplacedExisting
            }
            Entry::Occupied(_) => IdentityChange::NewOrUnchanged,
            Entry::Vacant(slot) => {
                slot.insert(*identity);
                IdentityChange::NewOrUnchanged
            }
        })
    }

    async fn is_trusted_identity(&self, _: &ProtocolAddress, _: &IdentityKey, _: Direction) -> Result<bool> {
        // Phones accept a contact's new identity: they only show a notice.
        Ok(true)
    }

    async fn get_identity(&self, address: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        Ok(self.known.get(address).copied())
    }
}

#[derive(Default)]
pub(super) struct OneTimeKeys(pub(super) HashMap<u32, KeyPair>);

#[async_trait]
impl PreKeyStore for OneTimeKeys {
    async fn get_pre_key(&self, id: PreKeyId) -> Result<PreKeyRecord> {
        let key = self.0.get(&u32::from(id)).ok_or(SignalProtocolError::InvalidPreKeyId)?;
        Ok(PreKeyRecord::new(id, key))
    }

    async fn save_pre_key(&mut self, id: PreKeyId, record: &PreKeyRecord) -> Result<()> {
        self.0.insert(id.into(), record.key_pair()?);
        Ok(())
    }

    async fn remove_pre_key(&mut self, id: PreKeyId) -> Result<()> {
        self.0.remove(&u32::from(id));
        Ok(())
    }
}

pub(super) struct SignedKey {
    pub(super) pair: KeyPair,
    pub(super) signature: [u8; 64],
}

#[async_trait]
impl SignedPreKeyStore for SignedKey {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        if u32::from(id) != SIGNED_KEY_ID {
            return Err(SignalProtocolError::InvalidSignedPreKeyId);
        }
        Ok(SignedPreKeyRecord::new(id, Timestamp::from_epoch_millis(0), &self.pair, &self.signature))
    }

    async fn save_signed_pre_key(&mut self, _: SignedPreKeyId, record: &SignedPreKeyRecord) -> Result<()> {
        self.pair = record.key_pair()?;
        Ok(())
    }
}

/// Everything Signal knows on one phone.
pub(crate) struct SignalStore {
    pub(super) sessions: Sessions,
    pub(super) identities: Identities,
    pub(super) one_time: OneTimeKeys,
    pub(super) signed: SignedKey,
    pub(super) last_one_time: u32,
    rng: StdRng,
}

pub(super) fn at_once<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    operation.now_or_never().unwrap_or_else(|| {
        Err(SignalProtocolError::InvalidState("phone", "an operation on stores in memory had to wait".into()))
    })
}

impl SignalStore {
    /// A new phone's keys.
    pub(crate) fn generate(mut rng: StdRng) -> std::result::Result<Self, CurveError> {
        let own = IdentityKeyPair::generate(&mut rng);
        let pair = KeyPair::generate(&mut rng);
        let signature = own.private_key().calculate_signature(&pair.public_key.serialize(), &mut rng)?;
        let registration_id = rng.random_range(1..=16_380);
        Ok(Self::with_keys(own, registration_id, pair, signature, rng))
    }

    /// These keys, without any session.
    pub(super) fn with_keys(
        own: IdentityKeyPair,
        registration_id: u32,
        pair: KeyPair,
        signature: [u8; 64],
        rng: StdRng,
    ) -> Self {
        Self {
            sessions: Sessions::default(),
            identities: Identities { own, registration_id, known: HashMap::new() },
            one_time: OneTimeKeys::default(),
            signed: SignedKey { pair, signature },
            last_one_time: 0,
            rng,
        }
    }

    pub(crate) fn identity(&self) -> &IdentityKeyPair {
        &self.identities.own
    }

    pub(crate) fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// Random bytes, for ids and app-state keys.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A bundle with a fresh one-time key. Phones make them on demand instead of uploading many.
    pub(crate) fn bundle(&mut self) -> PhoneBundle {
        let one_time = KeyPair::generate(&mut self.rng);
        self.last_one_time = if self.last_one_time >= LAST_KEY_ID { 1 } else { self.last_one_time + 1 };
        let bundle = PhoneBundle {
            registration_id: self.identities.registration_id,
            identity: bytes(self.identities.own.public_key().public_key_bytes()),
            signed_id: SIGNED_KEY_ID,
            signed: bytes(self.signed.pair.public_key.public_key_bytes()),
            signature: self.signed.signature,
            one_time_id: self.last_one_time,
            one_time: bytes(one_time.public_key.public_key_bytes()),
        };
        self.one_time.0.insert(self.last_one_time, one_time);
        bundle
    }

    /// Opens a message of `from`.
    pub(crate) fn decrypt(&mut self, from: &ProtocolAddress, kind: EncKind, ciphertext: &[u8]) -> Result<Vec<u8>> {
        let message = match kind {
            EncKind::PreKey => CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(ciphertext)?),
            EncKind::Signal => CiphertextMessage::SignalMessage(SignalMessage::try_from(ciphertext)?),
        };
        let opened = at_once(message_decrypt(
            &message,
            from,
            &mut self.sessions,
            &mut self.identities,
            &mut self.one_time,
            &self.signed,
            &mut self.rng,
            UsePQRatchet::No,
        ))?;
        if let Some(used) = opened.consumed_prekey_id {
            self.one_time.0.remove(&u32::from(used));
        }
        Ok(opened.plaintext)
    }

    pub(crate) fn has_session(&self, address: &ProtocolAddress) -> bool {
        self.sessions.0.contains_key(address)
    }

    pub(crate) fn forget_session(&mut self, address: &ProtocolAddress) {
        self.sessions.0.remove(address);
    }

    /// Opens a session from a published bundle, replacing the one there was.
    pub(crate) fn open_session(&mut self, to: &ProtocolAddress, bundle: &PreKeyBundle) -> Result<()> {
        at_once(process_prekey_bundle(
            to,
            &mut self.sessions,
            &mut self.identities,
            bundle,
            &mut self.rng,
            UsePQRatchet::No,
        ))
        .map(drop)
    }

    /// Seals a message for `to`, with whom a session exists.
    pub(crate) fn encrypt(&mut self, to: &ProtocolAddress, plaintext: &[u8]) -> Result<(EncKind, Vec<u8>)> {
        let sealed = at_once(message_encrypt(plaintext, to, &mut self.sessions, &mut self.identities))?;
        let kind = match &sealed {
            CiphertextMessage::PreKeySignalMessage(_) => EncKind::PreKey,
            _ => EncKind::Signal,
        };
        Ok((kind, sealed.serialize().to_vec()))
    }
}

fn bytes(key: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key);
    bytes
}
