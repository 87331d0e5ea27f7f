//! Synchronised app state as the server keeps it: for each collection the encrypted patches, in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::state::Base64;

/// Collections that an account may have; WhatsApp knows five.
const COLLECTIONS: usize = 16;
/// Patches that one collection keeps. The real server makes a snapshot of older ones; here a
/// collection that is full takes no more.
const PATCHES: usize = 10_000;
/// Patches in one answer.
pub(crate) const PAGE: usize = 100;

/// Why a patch is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It was not made on top of the newest version: fetch that first.
    Conflict,
    /// There is no room for more.
    Full,
}

/// The app state of one account.
#[derive(Debug, Default)]
pub(crate) struct AppState {
    collections: Mutex<HashMap<String, Vec<Vec<u8>>>>,
    /// Whether it is another than when it was last saved.
    changed: AtomicBool,
}

/// App state as it is kept across restarts: the patches of each collection.
#[derive(Serialize, Deserialize)]
pub(crate) struct AppStateRecord(BTreeMap<String, Vec<Base64>>);

impl AppState {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Vec<u8>>>> {
        self.collections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may have changed since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn record(&self) -> AppStateRecord {
        let encode = |patches: &Vec<Vec<u8>>| patches.iter().map(Into::into).collect();
        AppStateRecord(self.lock().iter().map(|(name, patches)| (name.clone(), encode(patches))).collect())
    }

    /// Makes it what was kept.
    pub(crate) fn restore(&self, record: AppStateRecord) {
        let decode = |patches: Vec<Base64>| patches.into_iter().map(|patch| patch.0).collect();
        *self.lock() = record.0.into_iter().map(|(name, patches)| (name, decode(patches))).collect();
    }

    /// The newest version of a collection; 0 for one that has no patch.
    pub(crate) fn version(&self, name: &str) -> u64 {
        self.lock().get(name).map_or(0, |patches| patches.len() as u64)
    }

    /// Patches after a version, at most a page; and whether there are more.
    pub(crate) fn after(&self, name: &str, version: u64) -> (Vec<Vec<u8>>, bool) {
        let collections = self.lock();
        let patches = collections.get(name).map(Vec::as_slice).unwrap_or_default();
        let rest = patches.get(usize::try_from(version).unwrap_or(usize::MAX)..).unwrap_or_default();
        (rest.iter().take(PAGE).cloned().collect(), rest.len() > PAGE)
    }

    /// Takes a patch that was made on top of `base`. `seal` gets the patch's own version. Returns
    /// that version.
    pub(crate) fn add(&self, name: &str, base: u64, seal: impl FnOnce(u64) -> Vec<u8>) -> Result<u64, Refusal> {
        let mut collections = self.lock();
        if collections.len() == COLLECTIONS && !collections.contains_key(name) {
            return Err(Refusal::Full);
        }
        let patches = collections.entry(name.to_owned()).or_default();
        if patches.len() as u64 != base {
            return Err(Refusal::Conflict);
        }
        if patches.len() == PATCHES {
            return Err(Refusal::Full);
        }
        let version = base + 1;
        patches.push(seal(version));
        self.changed.store(true, Ordering::Release);
        Ok(version)
    }

    /// Forgets everything: a reinstalled phone begins anew.
    pub(crate) fn clear(&self) {
        self.lock().clear();
        self.changed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_by_one_and_old_bases_are_refused() {
        let state = AppState::default();
        assert_eq!(state.version("regular"), 0);
        for base in 0..3 {
            let version = state.add("regular", base, |version| vec![u8::try_from(version).expect("small")]);
            assert_eq!(version, Ok(base + 1));
        }
        assert_eq!(state.add("regular", 1, |_| Vec::new()), Err(Refusal::Conflict));
        assert_eq!(state.add("regular", 9, |_| Vec::new()), Err(Refusal::Conflict));
        assert_eq!(state.after("regular", 1), (vec![vec![2], vec![3]], false));
        assert_eq!(state.after("regular", 9), (Vec::new(), false));
        assert_eq!(state.version("critical_block"), 0);
    }

    #[test]
    fn a_long_collection_comes_in_pages() {
        let state = AppState::default();
        for base in 0..=PAGE as u64 {
            state.add("regular", base, |_| Vec::new()).expect("room");
        }
        let (first, more) = state.after("regular", 0);
        assert_eq!((first.len(), more), (PAGE, true));
        let (second, more) = state.after("regular", PAGE as u64);
        assert_eq!((second.len(), more), (1, false));
    }
}
