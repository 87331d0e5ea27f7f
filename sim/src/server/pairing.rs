//! Linking a client to a phone by the text of its QR code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use rand::rngs::StdRng;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use super::device_list::{self, DeviceChange};
use super::{Command, EndReason, stanza};
use crate::account::{
    Account, Device, DeviceAddress, DeviceIdentity, NewDevice, PhoneNumber, PreKeyPool, SignedPreKey, accept_answer,
    link_identity,
};
use crate::config::QrTimings;
use crate::error::SimError;
use crate::journal::JournalEvent;
use crate::world::World;

/// The result of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LinkedDevice {
    /// The account the device belongs to now.
    pub account: PhoneNumber,
    /// Its device number.
    pub device: u16,
    /// Its address, `N:device@s.whatsapp.net`.
    pub jid: String,
    /// Its LID address.
    pub lid: String,
}

/// The keys that an unlinked client registers with.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub id: u32,
    pub identity: [u8; 32],
    pub signed: SignedPreKey,
    pub name: String,
}

impl Registration {
    /// Reads the registration of a client payload.
    pub(crate) fn read(data: &wa::client_payload::DevicePairingRegistrationData) -> Result<Self, &'static str> {
        let field = |field: &Option<Vec<u8>>| field.clone().unwrap_or_default();
        let id = field(&data.e_regid).try_into().map_err(|_| "its registration id is not 4 bytes")?;
        let identity = field(&data.e_ident).try_into().map_err(|_| "its identity key is not 32 bytes")?;
        let key_id = stanza::read_key_id(&field(&data.e_skey_id)).ok_or("its signed key's number is not 3 bytes")?;
        let public = field(&data.e_skey_val).try_into().map_err(|_| "its signed key is not 32 bytes")?;
        let signature = field(&data.e_skey_sig);
        if signature.len() != 64 {
            return Err("its signed key's signature is not 64 bytes");
        }
        let name = wa::DeviceProps::decode_from_slice(&field(&data.device_props))
            .ok()
            .and_then(|props| props.os)
            .unwrap_or_default();
        Ok(Self {
            id: u32::from_be_bytes(id),
            identity,
            signed: SignedPreKey { id: key_id, public, signature },
            name: name.chars().take(64).collect(),
        })
    }
}

/// An order to a connection: offer this link, and report what the client answers.
#[derive(Debug)]
pub(crate) struct Offer {
    pub address: DeviceAddress,
    pub identity: Vec<u8>,
    pub answer: oneshot::Sender<Result<Vec<u8>, String>>,
}

impl Offer {
    /// The `pair-success` request.
    pub(crate) fn node(&self, id: &str) -> Node {
        NodeBuilder::new("iq")
            .attr("from", stanza::server())
            .attr("id", id)
            .attr("type", "set")
            .children([NodeBuilder::new("pair-success")
                .children([
                    stanza::bytes("device-identity", self.identity.as_slice()),
                    NodeBuilder::new("device").attr("jid", self.address.jid()).attr("lid", self.address.lid()).build(),
                    NodeBuilder::new("platform").attr("name", "android").build(),
                ])
                .build()])
            .build()
    }
}

/// An unlinked client that shows QR codes.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) serial: u64,
    pub(super) until: Instant,
    /// When the client connected.
    pub(super) since: Instant,
    /// The secret of its code, once somebody has shown the code to the simulator.
    pub(super) secret: Option<Vec<u8>>,
    pub(super) client_static: [u8; 32],
    pub(super) registration: Registration,
    pub(super) commands: mpsc::Sender<Command>,
}

impl Waiting {
    /// Whether the keys of a code are those of this client.
    pub(super) fn shows(&self, qr: &QrText) -> bool {
        qr.noise == self.client_static && qr.identity == self.registration.identity
    }
}

/// All QR codes that clients show now, by their reference.
#[derive(Default)]
pub(crate) struct Pairings(Mutex<HashMap<String, Waiting>>);

impl Pairings {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the references for a new unlinked connection.
    pub(crate) fn open(
        &self,
        serial: u64,
        client_static: [u8; 32],
        registration: &Registration,
        commands: &mpsc::Sender<Command>,
        timings: QrTimings,
        (now, rng): (Instant, &mut StdRng),
    ) -> Vec<String> {
        let mut until = now + timings.first;
        let mut waiting = self.lock();
        let mut references = Vec::with_capacity(timings.refs.into());
        for _ in 0..timings.refs {
            let mut random = [0; 48];
            rng.fill_bytes(&mut random);
            let reference = format!("2@{}", STANDARD.encode(random));
            waiting.insert(
                reference.clone(),
                Waiting {
                    serial,
                    until,
                    since: now,
                    secret: None,
                    client_static,
                    registration: registration.clone(),
                    commands: commands.clone(),
                },
            );
            references.push(reference);
            until += timings.following;
        }
        references
    }

    /// Forgets a connection's references.
    pub(crate) fn close(&self, serial: u64) {
        self.lock().retain(|_, waiting| waiting.serial != serial);
    }

    /// The unlinked client of a connection, unless a reference of it was used.
    pub(super) fn of(&self, serial: u64) -> Option<Waiting> {
        self.lock().values().find(|waiting| waiting.serial == serial).cloned()
    }

    /// Uses a reference up, and with it all others of the same connection.
    pub(super) fn take(&self, reference: &str, now: Instant) -> Option<Waiting> {
        let mut all = self.lock();
        let waiting = all.remove(reference)?;
        all.retain(|_, other| other.serial != waiting.serial);
        (waiting.until > now).then_some(waiting)
    }
}

/// The request that hands the references to the client.
pub(crate) fn pair_device(id: &str, references: &[String]) -> Node {
    let references = references.iter().map(|reference| stanza::bytes("ref", reference.as_bytes()));
    NodeBuilder::new("iq")
        .attr("from", stanza::server())
        .attr("id", id)
        .attr("type", "set")
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-device").children(references).build()])
        .build()
}

/// What a QR code says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QrText {
    pub(super) reference: String,
    noise: [u8; 32],
    identity: [u8; 32],
    pub(super) secret: Vec<u8>,
}

/// Reads `ref,noise key,identity key,secret[,client type]`, with or without a web address before
/// the last `#` (Baileys 7 puts one there).
pub(super) fn parse_qr(text: &str) -> Result<QrText, SimError> {
    let bad = |reason| SimError::BadQr { reason };
    let plain = text.trim().rsplit('#').next().unwrap_or_default();
    let fields: Vec<&str> = plain.split(',').collect();
    let [reference, noise, identity, secret, ..] = fields.as_slice() else {
        return Err(bad("it has fewer than four fields separated by commas"));
    };
    let key = |field: &str| STANDARD.decode(field).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let secret = STANDARD.decode(secret).map_err(|_| bad("its secret is not base64"))?;
    if reference.is_empty() || secret.is_empty() {
        return Err(bad("its reference or secret is empty"));
    }
    Ok(QrText {
        reference: (*reference).to_owned(),
        noise: key(noise).ok_or_else(|| bad("its first key is not 32 bytes of base64"))?,
        identity: key(identity).ok_or_else(|| bad("its second key is not 32 bytes of base64"))?,
        secret,
    })
}

/// The phone of `number` scans a QR code: signs the client's identity, and links it when the client
/// has signed in return.
pub(crate) async fn scan(world: &World, qr: &str, number: PhoneNumber) -> Result<LinkedDevice, SimError> {
    let qr = parse_qr(qr)?;
    let account = world.account(number).ok_or(SimError::NotRegistered(number))?;
    may_link(world, &account)?;
    let waiting = world.pairings.take(&qr.reference, Instant::now()).ok_or(SimError::UnknownQr)?;
    world.journal.touch();
    if !waiting.shows(&qr) {
        return Err(SimError::BadQr { reason: "its keys are not those of the client that shows it" });
    }
    link(world, &account, &waiting, &qr.secret).await
}

pub(super) fn may_link(world: &World, account: &Account) -> Result<(), SimError> {
    let limit = world.config.limits.devices_per_account;
    let mut devices = account.devices();
    if devices.ban(world.now_millis()).is_some() {
        return Err(SimError::Banned(account.number));
    }
    if devices.linked.len() >= limit {
        return Err(SimError::TooManyDevices { account: account.number, limit });
    }
    Ok(())
}

/// Links a client that knows `secret`, which the phone learned from it out of band.
pub(super) async fn link(
    world: &World,
    account: &Arc<Account>,
    waiting: &Waiting,
    secret: &[u8],
) -> Result<LinkedDevice, SimError> {
    // Nothing else may be linked over this connection.
    world.pairings.close(waiting.serial);
    world.pair_codes.close(waiting.serial);
    let failed = |reason: String| SimError::PairingFailed { reason };
    let id = account.devices().next_id();
    let address = DeviceAddress { account: account.number, device: id };
    let key_index = u32::from(id);
    let sealed = {
        let mut phone = account.phone();
        let own = phone.identity().clone();
        let identity = DeviceIdentity { raw_id: phone.raw_id(), timestamp: world.now_secs(), key_index };
        link_identity(&own, &waiting.registration.identity, secret, identity, phone.rng())
            .map_err(|error| failed(error.to_string()))?
    };
    let (answer, answered) = oneshot::channel();
    let offer = Command::Offer(Box::new(Offer { address, identity: sealed, answer }));
    waiting.commands.send(offer).await.map_err(|_| failed("its connection is gone".into()))?;
    let give_up = |reason: String| async move {
        // Nothing more to do if the connection is already gone.
        drop(waiting.commands.send(Command::End(EndReason::Cut)).await);
        failed(reason)
    };
    let answer = match tokio::time::timeout(world.config.limits.pairing, answered).await {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(reason))) => return Err(give_up(reason).await),
        Ok(Err(_)) => return Err(failed("its connection ended before it answered".into())),
        Err(_) => return Err(give_up(wait_text(world.config.limits.pairing)).await),
    };
    let phone_key = *account.phone().identity().public_key();
    let signed_identity = match accept_answer(&answer, &waiting.registration.identity, &phone_key) {
        Ok(identity) => identity,
        Err(reason) => return Err(give_up(reason.into()).await),
    };
    let device = new_device(world, address, key_index, waiting, signed_identity);
    {
        let mut devices = account.devices();
        if devices.linked.len() >= world.config.limits.devices_per_account {
            let limit = world.config.limits.devices_per_account;
            return Err(SimError::TooManyDevices { account: account.number, limit });
        }
        devices.linked.insert(id, Arc::new(device));
    }
    world.log(JournalEvent::Linked { device: address });
    device_list::announce(world, account, Some(id));
    if let Some(device) = account.device(id) {
        device_list::tell_contacts(world, account, &device, DeviceChange::Linked);
    }
    // The restart that follows every link; the device exists by now, so its login will be accepted.
    let restart = Command::End(EndReason::StreamError(515));
    waiting.commands.send(restart).await.map_err(|_| failed("its connection is gone".into()))?;
    Ok(LinkedDevice {
        account: account.number,
        device: id,
        jid: address.jid().to_string(),
        lid: address.lid().to_string(),
    })
}

fn wait_text(patience: Duration) -> String {
    format!("it did not answer within {} ms", patience.as_millis())
}

fn new_device(
    world: &World,
    address: DeviceAddress,
    key_index: u32,
    waiting: &Waiting,
    signed_identity: Vec<u8>,
) -> Device {
    let Registration { id, identity, signed, name } = waiting.registration.clone();
    Device::new(NewDevice {
        address,
        key_index,
        noise_static: waiting.client_static,
        signed_identity,
        name,
        linked_at: world.now_millis(),
        keys: PreKeyPool::new(id, identity, signed),
        mailbox_limit: world.config.limits.queued_stanzas,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn the_text_of_both_known_clients_is_understood() {
        let plain = format!("2@abc,{},{},{}", key(1), key(2), key(3));
        let expected = QrText { reference: "2@abc".into(), noise: [1; 32], identity: [2; 32], secret: vec![3; 32] };
        for text in [plain.clone(), format!("{plain},1"), format!("https://wa.me/settings/linked_devices#{plain},1\n")]
        {
            assert_eq!(parse_qr(&text).expect("understood"), expected);
        }
    }

    #[test]
    fn other_texts_are_refused_without_repeating_them() {
        for text in [
            "",
            "hello",
            "a,b,c,d",
            &format!("2@abc,{},{}", key(1), key(2)),
            &format!(",{},{},{}", key(1), key(2), key(3)),
        ] {
            let error = parse_qr(text).expect_err("no QR text");
            assert!(matches!(error, SimError::BadQr { .. }));
        }
    }

    #[test]
    fn a_reference_is_good_once_and_for_its_time() {
        let pairings = Pairings::default();
        let (commands, _receiver) = mpsc::channel(1);
        let registration = Registration {
            id: 1,
            identity: [1; 32],
            signed: SignedPreKey { id: 1, public: [2; 32], signature: vec![0; 64] },
            name: String::new(),
        };
        let mut rng = StdRng::seed_from_u64(1);
        let begin = Instant::now();
        let after = |secs| begin + Duration::from_secs(secs);
        let mut open = |serial, now| {
            let timings = QrTimings::default();
            pairings.open(serial, [9; 32], &registration, &commands, timings, (now, &mut rng))
        };
        let first = open(1, begin);
        assert_eq!(first.len(), 6);
        assert!(pairings.take(&first[5], begin).is_some());
        assert!(pairings.take(&first[0], begin).is_none(), "the client is taken");
        let second = open(2, begin);
        let third = open(3, after(61));
        assert!(pairings.take(&second[0], after(61)).is_none(), "expired");
        assert!(pairings.take(&third[0], after(61)).is_some());
        let fourth = open(4, after(61));
        assert!(pairings.take(&fourth[1], after(131)).is_some(), "the second is shown for another 20 s");
    }
}
