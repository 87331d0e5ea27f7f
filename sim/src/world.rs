//! What all connections of one simulator share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::{Account, Device, DeviceAddress, PhoneNumber, Registry, Stanza};
use crate::config::{MagicEnding, SimConfig};
use crate::entropy::Entropy;
use crate::error::SimError;
use crate::fault::{FaultRules, Restrictions};
use crate::group::Groups;
use crate::journal::{Journal, JournalEvent};
use crate::media::Media;
use crate::phone::{Phone, PhoneBehaviour};
use crate::server::{PairCodes, Pairings, Receipts, Restarts};
use crate::state::{Keeper, Kept, media_folder};
use crate::transport::ServerKeys;

/// The shared state of one simulator. Nothing here is locked while something is awaited, and no
/// lock that several accounts share is held during cryptography.
pub(crate) struct World {
    pub config: SimConfig,
    pub entropy: Entropy,
    pub keys: ServerKeys,
    pub registry: Registry,
    /// Writes all this down, if it is to be kept.
    pub keeper: Option<Keeper>,
    pub pairings: Pairings,
    pub pair_codes: PairCodes,
    pub faults: FaultRules,
    pub restrictions: Restrictions,
    pub journal: Journal,
    pub receipts: Receipts,
    pub restarts: Restarts,
    pub media: Media,
    pub groups: Groups,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    pub connections: AtomicUsize,
    serial: AtomicU64,
}

impl World {
    pub(crate) fn new(
        mut config: SimConfig,
        stop: CancellationToken,
        receipts: Receipts,
        restarts: Restarts,
    ) -> Result<Self, SimError> {
        let (keeper, kept) = match &config.state {
            Some(folder) => {
                let (keeper, kept) = Keeper::open(folder, config.seed, config.limits.queued_stanzas)?;
                config.media.folder.get_or_insert_with(|| media_folder(folder));
                (Some(keeper), kept)
            }
            None => (None, Kept::nothing(config.seed)),
        };
        let entropy = kept.entropy;
        let keys = ServerKeys::generate(&mut entropy.stream("server keys", 0), config.clock.now_secs())
            .map_err(|error| SimError::Keys(error.to_string()))?;
        Ok(Self {
            groups: kept.groups,
            media: Media::new(&config.media, &entropy)?,
            entropy,
            keys,
            registry: kept.registry,
            keeper,
            pairings: Pairings::default(),
            pair_codes: PairCodes::default(),
            faults: FaultRules::default(),
            restrictions: kept.restrictions.into_iter().collect(),
            journal: Journal::new(config.limits.journal_entries),
            receipts,
            restarts,
            stop,
            tasks: TaskTracker::new(),
            connections: AtomicUsize::new(0),
            serial: AtomicU64::new(kept.last_serial),
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
}
