//! All accounts, spread over shards so that connections do not wait for each other.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
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

impl Ban {
    /// WhatsApp's code for the reason of a ban.
    pub(crate) const TOO_MANY_MESSAGES: u16 = 101;
}

/// A ban as it was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BanOrder {
    /// Milliseconds since 1970; for good when absent.
    pub until: Option<u64>,
}

/// A number, its phone and its linked devices.
pub(crate) struct Account {
    pub number: PhoneNumber,
    pub contacts: Contacts,
    pub presence: Presence,
    pub app_state: AppState,
    phone: Mutex<Phone>,
    devices: Mutex<Devices>,
    /// Whether it is another than when it was last saved.
    changed: AtomicBool,
}

/// The linked devices of an account.
#[derive(Default)]
pub(crate) struct Devices {
    pub linked: BTreeMap<u16, Arc<Device>>,
    /// Device numbers are never used twice.
    pub(super) last_id: u16,
    pub ban_order: Option<BanOrder>,
}

impl Devices {
    /// The ban in force at `now` (milliseconds since 1970). One that is over is lifted by this.
    pub(crate) fn ban(&mut self, now: u64) -> Option<Ban> {
        self.ban_order.take_if(|order| order.until.is_some_and(|until| until <= now));
        self.ban_order.map(|order| match order.until {
            Some(until) => Ban::Temporary { code: Ban::TOO_MANY_MESSAGES, expire_secs: (until - now).div_ceil(1000) },
            None => Ban::Permanent,
        })
    }

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
    fn new(number: PhoneNumber, phone: Phone) -> Self {
        Self { changed: AtomicBool::new(true), ..Self::restored(number, phone, Devices::default()) }
    }

    /// An account as it was kept.
    pub(crate) fn restored(number: PhoneNumber, phone: Phone, devices: Devices) -> Self {
        Self {
            number,
            contacts: Contacts::default(),
            presence: Presence::default(),
            app_state: AppState::default(),
            phone: Mutex::new(phone),
            devices: Mutex::new(devices),
            changed: AtomicBool::new(false),
        }
    }

    /// The phone. Only one thing happens on a phone at a time; different phones do not wait.
    pub(crate) fn phone(&self) -> MutexGuard<'_, Phone> {
        let phone = self.phone.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: a save that looks at the phone after this sees the change, or the mark.
        self.changed.store(true, Ordering::Release);
        phone
    }

    pub(crate) fn devices(&self) -> MutexGuard<'_, Devices> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.store(true, Ordering::Release);
        devices
    }

    /// Whether the phone or the list of devices may have changed since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// The phone, to be saved.
    pub(crate) fn look_at_phone<T>(&self, look: impl FnOnce(&mut Phone) -> T) -> T {
        look(&mut self.phone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The devices, to be saved.
    pub(crate) fn look_at_devices<T>(&self, look: impl FnOnce(&Devices) -> T) -> T {
        look(&self.devices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn device(&self, id: u16) -> Option<Arc<Device>> {
        self.look_at_devices(|devices| devices.linked.get(&id).cloned())
    }

    pub(crate) fn linked(&self) -> Vec<Arc<Device>> {
        self.look_at_devices(|devices| devices.linked.values().cloned().collect())
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
        self.put(Account::new(number, phone))
    }

    /// Adds an account, unless there is one with its number. Returns the one there is then.
    pub(crate) fn put(&self, account: Account) -> Arc<Account> {
        let mut shard = self.shard(account.number).write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shard.entry(account.number).or_insert_with(|| Arc::new(account)))
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
