//! How many requests a key may make.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kurir_core::domain::{ApiKeyRecord, PaceState, Timestamp};
use kurir_core::policy::{PaceRule, Pacer};

/// Requests of each key, in this gateway.
pub(super) struct KeyLimit {
    /// `None`: no limit.
    rule: Option<PaceRule>,
    /// By the keys' hashes. Only keys that are taken come this far, so there are no more than those.
    pacers: Mutex<HashMap<[u8; 32], Pacer>>,
}

/// Where a key stands after one request more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent {
    /// Requests that may be made at once.
    pub limit: u32,
    /// How many of these are left.
    pub left: u32,
    /// After how long there are as many as at first.
    pub reset: Duration,
    /// How long to wait, if this request was one too many.
    pub wait: Option<Duration>,
}

impl KeyLimit {
    /// So many requests a second, and this many at once; 0: no limit.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let rule = NonZeroU32::new(per_second).map(|per_second| PaceRule {
            every: Duration::from_secs(1) / per_second.get(),
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
        });
        Self { rule, pacers: Mutex::default() }
    }

    /// Counts a request; `None`: nobody counts.
    pub fn take(&self, key: &ApiKeyRecord, now: Timestamp) -> Option<Spent> {
        let rule = self.rule?;
        // Nothing panics while it holds the lock.
        let mut pacers = self.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        let pacer = pacers.entry(key.hash).or_insert_with(|| Pacer::new(rule, PaceState::default()));
        let wait = pacer.take(now).err();
        let left = pacer.left(now);
        let limit = rule.burst.get();
        Some(Spent { limit, left, reset: rule.every.saturating_mul(limit - left), wait })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kurir_core::domain::{KeyId, TenantId};

    use super::*;

    fn key(hash: u8) -> ApiKeyRecord {
        ApiKeyRecord {
            id: KeyId::new("k").unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            label: String::new(),
            hash: [hash; 32],
            scopes: BTreeSet::new(),
            sessions: None,
            created_at: Timestamp::from_millis(0),
            until: None,
        }
    }

    #[test]
    fn each_key_has_its_own_and_it_comes_back() {
        let limit = KeyLimit::new(2, 3);
        let at = |ms: i64| Timestamp::from_millis(1_790_000_000_000 + ms);
        for left in [2, 1, 0] {
            let spent = limit.take(&key(1), at(0)).unwrap();
            assert_eq!((spent.limit, spent.left, spent.wait), (3, left, None));
        }
        let spent = limit.take(&key(1), at(0)).unwrap();
        assert_eq!((spent.left, spent.reset), (0, Duration::from_millis(1500)));
        assert!(spent.wait.is_some_and(|wait| wait >= Duration::from_millis(500)));
        assert_eq!(limit.take(&key(2), at(0)).unwrap().left, 2);
        assert_eq!(limit.take(&key(1), at(510)).unwrap().wait, None);
        assert_eq!(KeyLimit::new(0, 9).take(&key(1), at(0)), None);
    }
}
