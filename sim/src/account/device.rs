//! A linked device as the server knows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::{DeviceAddress, Mailbox, PreKeyPool};
use crate::server::Command;

/// The open connection of a device.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// Which connection of the simulator it is.
    pub serial: u64,
    pub commands: mpsc::Sender<Command>,
}

/// One linked device.
#[derive(Debug)]
pub(crate) struct Device {
    pub address: DeviceAddress,
    pub key_index: u32,
    /// The key of its first handshake is its credential for every login.
    pub noise_static: [u8; 32],
    /// The signed identity that others are shown with its keys.
    pub signed_identity: Vec<u8>,
    /// What the client calls itself.
    pub name: String,
    /// Milliseconds since 1970.
    pub linked_at: u64,
    pub mailbox: Mailbox,
    keys: Mutex<PreKeyPool>,
    link: Mutex<Option<Link>>,
    /// Whether it is another than when it was last saved, apart from its mailbox.
    changed: AtomicBool,
}

/// What is known of a device when it is linked.
pub(crate) struct NewDevice {
    pub address: DeviceAddress,
    pub key_index: u32,
    pub noise_static: [u8; 32],
    pub signed_identity: Vec<u8>,
    pub name: String,
    pub linked_at: u64,
    pub keys: PreKeyPool,
    pub mailbox_limit: usize,
}

impl Device {
    pub(crate) fn new(new: NewDevice) -> Self {
        Self {
            address: new.address,
            key_index: new.key_index,
            noise_static: new.noise_static,
            signed_identity: new.signed_identity,
            name: new.name,
            linked_at: new.linked_at,
            mailbox: Mailbox::new(new.mailbox_limit),
            keys: Mutex::new(new.keys),
            link: Mutex::new(None),
            changed: AtomicBool::new(true),
        }
    }

    /// The keys, which may be changed.
    pub(crate) fn keys(&self) -> MutexGuard<'_, PreKeyPool> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: a save that looks at the keys after this sees the change, or the mark.
        self.changed.store(true, Ordering::Release);
        keys
    }

    /// Whether it may have changed since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// The keys, which are only looked at.
    pub(super) fn look_at_keys<T>(&self, look: impl FnOnce(&PreKeyPool) -> T) -> T {
        look(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn link_slot(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open connection, if any.
    pub(crate) fn link(&self) -> Option<Link> {
        self.link_slot().clone()
    }

    /// Makes `link` the device's connection and returns the one it had.
    pub(crate) fn attach(&self, link: Link) -> Option<Link> {
        self.link_slot().replace(link)
    }

    /// Forgets the connection, unless a newer one took its place. Returns whether it was the one.
    pub(crate) fn detach(&self, serial: u64) -> bool {
        let mut slot = self.link_slot();
        slot.take_if(|link| link.serial == serial).is_some()
    }
}
