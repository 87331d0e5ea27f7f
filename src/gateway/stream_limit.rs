//! How many streams of events there may be, in all and of one key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kurir_core::domain::ApiKeyRecord;

/// The places for streams.
pub(super) struct StreamLimit {
    most: usize,
    per_key: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// By the keys' hashes; a key without a stream has no entry.
    of_keys: HashMap<[u8; 32], usize>,
}

/// A stream's place; dropping it gives it back.
pub(super) struct Place {
    limit: Arc<StreamLimit>,
    key: [u8; 32],
}

impl StreamLimit {
    pub fn new(most: usize, per_key: usize) -> Arc<Self> {
        Arc::new(Self { most, per_key, taken: Mutex::default() })
    }

    /// Most streams at the same time.
    pub fn most(&self) -> usize {
        self.most
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it holds the lock.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a stream of this key, if there is one.
    pub fn take(self: &Arc<Self>, key: &ApiKeyRecord) -> Option<Place> {
        self.take_for(key.hash)
    }

    /// The same for a stream of a key with this hash, or of a sign-in with this mark.
    pub fn take_for(self: &Arc<Self>, key: [u8; 32]) -> Option<Place> {
        let mut taken = self.lock();
        let of_key = taken.of_keys.get(&key).copied().unwrap_or(0);
        if taken.all >= self.most || of_key >= self.per_key {
            return None;
        }
        taken.all += 1;
        taken.of_keys.insert(key, of_key + 1);
        Some(Place { limit: Arc::clone(self), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.limit.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_key) = taken.of_keys.get_mut(&self.key) {
            *of_key = of_key.saturating_sub(1);
            if *of_key == 0 {
                taken.of_keys.remove(&self.key);
            }
        }
    }
}
