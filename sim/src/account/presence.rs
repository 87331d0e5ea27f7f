//! Whether somebody of an account is there, and who wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wacore_binary::Jid;

use super::{DeviceAddress, PhoneNumber};

/// How many devices may watch one account; one more is not told anything.
const WATCHERS: usize = 1024;

/// What others are told about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    /// Somebody is there.
    Here,
    /// Nobody is there; since when, in seconds since 1970, if anybody ever was.
    Away(Option<u64>),
}

#[derive(Debug, Default)]
struct State {
    /// Devices at which somebody is; 0 is the phone.
    here: BTreeSet<u16>,
    last_seen: Option<u64>,
    /// Devices that want to know, and the address by which they asked.
    watchers: BTreeMap<DeviceAddress, Jid>,
    /// Whom the devices of this account watch.
    watched: BTreeSet<(u16, PhoneNumber)>,
}

impl State {
    fn availability(&self) -> Availability {
        if self.here.is_empty() { Availability::Away(self.last_seen) } else { Availability::Here }
    }
}

/// The presence of one account.
#[derive(Debug, Default)]
pub(crate) struct Presence(Mutex<State>);

impl Presence {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody comes to a device, or goes. Returns what others must be told, if it changed.
    /// `now` is in seconds since 1970.
    pub(crate) fn set(&self, device: u16, here: bool, now: u64) -> Option<Availability> {
        let mut state = self.lock();
        let before = state.here.is_empty();
        if here {
            state.here.insert(device);
        } else if state.here.remove(&device) {
            state.last_seen = Some(now);
        }
        (before != state.here.is_empty()).then(|| state.availability())
    }

    /// Whether somebody is at a device.
    pub(crate) fn is_here(&self, device: u16) -> bool {
        self.lock().here.contains(&device)
    }

    /// What others are told now.
    pub(crate) fn availability(&self) -> Availability {
        self.lock().availability()
    }

    /// Notes that a device of this account watches another account, or stops.
    pub(crate) fn watches(&self, device: u16, other: PhoneNumber, watches: bool) {
        let mut state = self.lock();
        if !watches {
            state.watched.remove(&(device, other));
        } else if state.watched.len() < WATCHERS {
            state.watched.insert((device, other));
        }
    }

    /// Forgets whom a device of this account watched, and tells it.
    pub(crate) fn forget_watched(&self, device: u16) -> Vec<PhoneNumber> {
        let mut state = self.lock();
        let (gone, rest) = std::mem::take(&mut state.watched).into_iter().partition(|(by, _)| *by == device);
        state.watched = rest;
        let gone: BTreeSet<(u16, PhoneNumber)> = gone;
        gone.into_iter().map(|(_, other)| other).collect()
    }

    /// A device wants to know from now on, under the address by which it asked.
    pub(crate) fn watch(&self, watcher: DeviceAddress, asked: Jid) {
        let mut state = self.lock();
        if state.watchers.len() < WATCHERS {
            state.watchers.insert(watcher, asked);
        }
    }

    /// A device no longer wants to know.
    pub(crate) fn unwatch(&self, watcher: DeviceAddress) {
        self.lock().watchers.remove(&watcher);
    }

    /// Those who want to know.
    pub(crate) fn watchers(&self) -> Vec<(DeviceAddress, Jid)> {
        self.lock().watchers.iter().map(|(watcher, asked)| (*watcher, asked.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_here_while_one_of_its_devices_is() {
        let presence = Presence::default();
        assert_eq!(presence.availability(), Availability::Away(None));
        assert_eq!(presence.set(1, true, 10), Some(Availability::Here));
        assert_eq!(presence.set(2, true, 11), None);
        assert_eq!(presence.set(1, false, 12), None);
        assert_eq!(presence.set(2, false, 13), Some(Availability::Away(Some(13))));
        assert_eq!(presence.set(2, false, 14), None, "it was not here");
        assert_eq!(presence.availability(), Availability::Away(Some(13)));
    }

    #[test]
    fn a_watcher_is_told_under_the_address_it_asked_with() {
        let (presence, account) = (Presence::default(), "15551230001".parse().expect("valid"));
        let watcher = DeviceAddress { account, device: 1 };
        presence.watch(watcher, account.jid());
        presence.watch(watcher, account.lid());
        assert_eq!(presence.watchers(), [(watcher, account.lid())]);
        presence.unwatch(watcher);
        assert!(presence.watchers().is_empty());
    }
}
