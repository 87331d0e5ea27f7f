//! All accounts, spread over shards so that connections do not wait for each other.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{AppState, Contacts, Device, PhoneNumber, Presence};
use crate::phone::Phone;

const SHARDS: usize = 64;

/// Why an account may not log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ban {
    /// For a time: the code WhatsApp gives and the seconds left.
    Temporary { code: u16, expire_secs: u64 },
    /// For good.
    Permanent,
}

/// A number, its phone and its linked devices.
pub(crate) struct Account {
    pub number: PhoneNumber,
    pub contacts: Contacts,
    pub presence: Presence,
    pub app_state: AppState,
    phone: Mutex<Phone>,
    devices: Mutex<Devices>,
}

/// The linked devices of an account.
#[derive(Default)]
pub(crate) struct Devices {
    pub linked: BTreeMap<u16, Arc<Device>>,
    /// Device numbers are never used twice.
    last_id: u16,
    pub ban: Option<Ban>,
}

impl Devices {
    /// A number for a new device.
    pub(crate) fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.wrapping_add(1).max(1);
        while self.linked.contains_key(&self.last_id) {
            self.last_id = self.last_id.wrapping_add(1).max(1);
        }
        self.last_id
    }
}

impl Account {
    /// The phone. Only one thing happens on a phone at a time; different phones do not wait.
    pub(crate) fn phone(&self) -> MutexGuard<'_, Phone> {
        self.phone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn device(&self, id: u16) -> Option<Arc<Device>> {
        self.devices().linked.get(&id).cloned()
    }

    pub(crate) fn linked(&self) -> Vec<Arc<Device>> {
        self.devices().linked.values().cloned().collect()
    }
}

type Shard = RwLock<HashMap<PhoneNumber, Arc<Account>>>;

/// All accounts that were touched so far.
pub(crate) struct Registry {
    shards: Vec<Shard>,
    hasher: RandomState,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), hasher: RandomState::new() }
    }

    fn shard(&self, number: PhoneNumber) -> &Shard {
        let hash = self.hasher.hash_one(number);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or_default()]
    }

    /// The account, if something happened to it before.
    pub(crate) fn get(&self, number: PhoneNumber) -> Option<Arc<Account>> {
        self.shard(number).read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Adds an account with its new phone.
    ///
    /// The phone is made outside of the lock, because it costs several key generations. If two
    /// connections get here at once, both made the same phone (its keys follow from the number) and
    /// the first one stays.
    pub(crate) fn add(&self, number: PhoneNumber, phone: Phone) -> Arc<Account> {
        let account = Arc::new(Account {
            number,
            contacts: Contacts::default(),
            presence: Presence::default(),
            app_state: AppState::default(),
            phone: Mutex::new(phone),
            devices: Mutex::default(),
        });
        let mut shard = self.shard(number).write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shard.entry(number).or_insert(account))
    }

    /// All accounts, by number.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        let mut accounts: Vec<_> = self
            .shards
            .iter()
            .flat_map(|shard| {
                let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
                shard.values().cloned().collect::<Vec<_>>()
            })
            .collect();
        accounts.sort_unstable_by_key(|account| account.number);
        accounts
    }
}
