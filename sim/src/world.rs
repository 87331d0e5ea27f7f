//! What all connections of one simulator share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::{Account, Device, DeviceAddress, PhoneNumber, Registry, Stanza};
use crate::config::{MagicEnding, SimConfig};
use crate::entropy::Entropy;
use crate::error::SimError;
use crate::fault::{FaultRules, MessageFate};
use crate::journal::{Journal, JournalEvent};
use crate::media::Media;
use crate::phone::{Phone, PhoneBehaviour};
use crate::server::{Pairings, Receipts};
use crate::transport::ServerKeys;

/// The shared state of one simulator. Nothing here is locked while something is awaited, and no
/// lock that several accounts share is held during cryptography.
pub(crate) struct World {
    pub config: SimConfig,
    pub entropy: Entropy,
    pub keys: ServerKeys,
    pub registry: Registry,
    pub pairings: Pairings,
    pub faults: FaultRules,
    pub journal: Journal,
    pub receipts: Receipts,
    pub media: Media,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    pub connections: AtomicUsize,
    serial: AtomicU64,
}

impl World {
    pub(crate) fn new(config: SimConfig, stop: CancellationToken, receipts: Receipts) -> Result<Self, SimError> {
        let entropy = Entropy::new(config.seed);
        let keys = ServerKeys::generate(&mut entropy.stream("server keys", 0), config.clock.now_secs())
            .map_err(|error| SimError::Keys(error.to_string()))?;
        Ok(Self {
            media: Media::new(&config.media, &entropy)?,
            entropy,
            keys,
            registry: Registry::new(),
            pairings: Pairings::default(),
            faults: FaultRules::default(),
            journal: Journal::new(config.limits.journal_entries),
            receipts,
            stop,
            tasks: TaskTracker::new(),
            connections: AtomicUsize::new(0),
            serial: AtomicU64::new(0),
            config,
        })
    }

    /// A number that no other connection has.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn now_millis(&self) -> u64 {
        self.config.clock.now_millis()
    }

    pub(crate) fn now_secs(&self) -> u64 {
        self.config.clock.now_secs()
    }

    pub(crate) fn log(&self, event: JournalEvent) {
        self.journal.write(self.now_millis(), event);
    }

    /// The account of a number that has WhatsApp; its phone is made when it is first needed.
    pub(crate) fn account(&self, number: PhoneNumber) -> Option<Arc<Account>> {
        if !self.config.phones.registered(number) {
            return None;
        }
        if let Some(account) = self.registry.get(number) {
            return Some(account);
        }
        let behaviour = PhoneBehaviour {
            asks_for_retry: self.config.phones.ending(number) == Some(MagicEnding::AsksForRetry),
            ..PhoneBehaviour::default()
        };
        match Phone::new(self.entropy.stream("phone", number.as_u64()), behaviour) {
            Ok(phone) => Some(self.registry.add(number, phone)),
            Err(error) => {
                tracing::error!(%error, "a phone's keys could not be made");
                None
            }
        }
    }

    pub(crate) fn device(&self, address: DeviceAddress) -> Option<Arc<Device>> {
        self.registry.get(address.account)?.device(address.device)
    }

    /// Leaves a stanza for a device.
    pub(crate) fn post(&self, device: &Device, stanza: Stanza) {
        if let Some(id) = device.mailbox.push(stanza) {
            self.log(JournalEvent::QueueOverflow { device: device.address, id });
        }
        self.journal.touch();
    }

    /// What happens to a message, by the rules of faults and by the number's ending.
    pub(crate) fn fate(&self, from: DeviceAddress, to: PhoneNumber) -> MessageFate {
        match self.faults.fate(from, to) {
            MessageFate::Accept => match self.config.phones.ending(to) {
                Some(MagicEnding::AckError(code)) => MessageFate::Error(code),
                Some(MagicEnding::NoAck) => MessageFate::Silence { deliver: false },
                _ => MessageFate::Accept,
            },
            fate => fate,
        }
    }
}
