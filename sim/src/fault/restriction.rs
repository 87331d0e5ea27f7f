//! What an account may not do for a while: begin new chats.
//!
//! Clients learn of it in three ways, which have to agree: the error on a message's acknowledgement,
//! notifications of type `mex`, and `w:mex` queries. The names were seen with whatsapp-rust 0.7,
//! Baileys 7 and whatsmeow.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::PhoneNumber;

/// The error of messages that begin a chat under a timelock.
const TIMELOCKED: u16 = 463;
const DEFAULT_TYPE: &str = "DEFAULT";
const DAY_MS: u64 = 86_400_000;

/// A lock on new chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timelock {
    /// Milliseconds since 1970; until it is lifted when absent.
    pub until: Option<u64>,
    pub enforcement_type: String,
}

/// How many new chats may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewChatQuota {
    pub total: u32,
    pub code: u16,
    /// When the cycle began, in milliseconds since 1970.
    pub since: u64,
    pub cycle_ms: u64,
    /// The chats begun in this cycle.
    pub begun: BTreeSet<PhoneNumber>,
}

/// What restricts one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restriction {
    pub timelock: Option<Timelock>,
    pub quota: Option<NewChatQuota>,
}

impl Timelock {
    pub(crate) fn new(until: Option<u64>, enforcement_type: Option<String>) -> Self {
        Self { until, enforcement_type: enforcement_type.unwrap_or_else(|| DEFAULT_TYPE.into()) }
    }
}

impl NewChatQuota {
    pub(crate) fn new(total: u32, cycle_secs: Option<u64>, code: Option<u16>, now: u64) -> Self {
        let cycle_ms = cycle_secs.map_or(DAY_MS, |secs| secs.saturating_mul(1000)).max(1);
        Self { total, code: code.unwrap_or(TIMELOCKED), since: now, cycle_ms, begun: BTreeSet::new() }
    }

    /// Begins the cycle that `now` is in.
    fn turn(&mut self, now: u64) {
        let cycles = now.saturating_sub(self.since) / self.cycle_ms;
        if cycles > 0 {
            self.since += cycles * self.cycle_ms;
            self.begun.clear();
        }
    }

    fn used_up(&self) -> bool {
        self.begun.len() >= usize::try_from(self.total).unwrap_or(usize::MAX)
    }

    /// Counts a chat. The error if it is one too many.
    fn begin(&mut self, with: PhoneNumber, now: u64) -> Option<u16> {
        self.turn(now);
        if self.begun.contains(&with) {
            return None;
        }
        if self.used_up() {
            return Some(self.code);
        }
        self.begun.insert(with);
        None
    }
}

impl Restriction {
    fn clean(&mut self, now: u64) {
        self.timelock.take_if(|lock| lock.until.is_some_and(|until| until <= now));
        if let Some(quota) = &mut self.quota {
            quota.turn(now);
        }
    }

    fn is_empty(&self) -> bool {
        self.timelock.is_none() && self.quota.is_none()
    }
}

/// The restricted accounts.
#[derive(Debug, Default)]
pub(crate) struct Restrictions {
    accounts: Mutex<HashMap<PhoneNumber, Restriction>>,
    /// So that a simulator without restrictions takes no lock per message.
    count: AtomicUsize,
}

impl FromIterator<(PhoneNumber, Restriction)> for Restrictions {
    fn from_iter<I: IntoIterator<Item = (PhoneNumber, Restriction)>>(kept: I) -> Self {
        let accounts: HashMap<_, _> = kept.into_iter().collect();
        Self { count: AtomicUsize::new(accounts.len()), accounts: Mutex::new(accounts) }
    }
}

impl Restrictions {
    fn lock(&self) -> MutexGuard<'_, HashMap<PhoneNumber, Restriction>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an account is restricted at all.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Changes what restricts an account.
    pub(crate) fn change(&self, account: PhoneNumber, change: impl FnOnce(&mut Restriction)) {
        let mut accounts = self.lock();
        let restriction = accounts.entry(account).or_default();
        change(restriction);
        if restriction.is_empty() {
            accounts.remove(&account);
        }
        self.count.store(accounts.len(), Ordering::Release);
    }

    /// What restricts an account at `now`.
    pub(crate) fn of(&self, account: PhoneNumber, now: u64) -> Restriction {
        if !self.any() {
            return Restriction::default();
        }
        let mut accounts = self.lock();
        let Some(restriction) = accounts.get_mut(&account) else {
            return Restriction::default();
        };
        restriction.clean(now);
        restriction.clone()
    }

    /// All that restricts accounts, by number.
    pub(crate) fn all(&self) -> Vec<(PhoneNumber, Restriction)> {
        if !self.any() {
            return Vec::new();
        }
        let mut all: Vec<_> = self.lock().iter().map(|(account, own)| (*account, own.clone())).collect();
        all.sort_unstable_by_key(|(account, _)| *account);
        all
    }

    /// Whether anything restricts new chats of this account.
    pub(super) fn watches(&self, account: PhoneNumber) -> bool {
        self.any() && self.lock().contains_key(&account)
    }

    /// The error that a message gets which begins a chat.
    pub(super) fn begin_chat(&self, account: PhoneNumber, with: PhoneNumber, now: u64) -> Option<u16> {
        let mut accounts = self.lock();
        let restriction = accounts.get_mut(&account)?;
        restriction.clean(now);
        if restriction.timelock.is_some() {
            return Some(TIMELOCKED);
        }
        restriction.quota.as_mut()?.begin(with, now)
    }
}

/// The timelock as queries and notifications tell it. Times are seconds since 1970, as text.
pub(crate) fn timelock_json(lock: Option<&Timelock>) -> Value {
    match lock {
        None => json!({ "is_active": false, "enforcement_type": DEFAULT_TYPE }),
        Some(Timelock { until: Some(until), enforcement_type }) => json!({
            "is_active": true,
            "time_enforcement_ends": (until.div_ceil(1000)).to_string(),
            "enforcement_type": enforcement_type,
        }),
        Some(lock) => json!({ "is_active": true, "enforcement_type": lock.enforcement_type }),
    }
}

/// The quota as queries and notifications tell it.
pub(crate) fn quota_json(quota: Option<&NewChatQuota>, now: u64) -> Value {
    let Some(quota) = quota else {
        return json!({
            "capping_status": "NONE", "mv_status": "NOT_ELIGIBLE", "ote_status": "NOT_ELIGIBLE",
            "server_sent_timestamp": now / 1000,
        });
    };
    let (used, total) = (quota.begun.len() as u64, u64::from(quota.total));
    let status = if quota.used_up() {
        "CAPPED"
    } else if used * 10 >= total * 9 {
        "SECOND_WARNING"
    } else if used * 2 >= total {
        "FIRST_WARNING"
    } else {
        "NONE"
    };
    json!({
        "capping_status": status,
        "cycle_start_timestamp": quota.since / 1000,
        "cycle_end_timestamp": (quota.since + quota.cycle_ms) / 1000,
        "server_sent_timestamp": now / 1000,
        "total_quota": total.to_string(),
        "used_quota": used.to_string(),
        "mv_status": "NOT_ELIGIBLE",
        "ote_status": "NOT_ELIGIBLE",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(last: u64) -> PhoneNumber {
        PhoneNumber::from_u64(15_551_230_000 + last).expect("in range")
    }

    #[test]
    fn a_timelock_refuses_new_chats_until_its_time_is_over() {
        let restrictions = Restrictions::default();
        assert!(!restrictions.watches(number(1)));
        restrictions.change(number(1), |own| own.timelock = Some(Timelock::new(Some(5_000), None)));
        assert_eq!(restrictions.begin_chat(number(1), number(2), 4_999), Some(463));
        assert_eq!(restrictions.begin_chat(number(3), number(2), 4_999), None);
        assert_eq!(timelock_json(restrictions.of(number(1), 4_999).timelock.as_ref())["time_enforcement_ends"], "5");
        assert_eq!(restrictions.begin_chat(number(1), number(2), 5_000), None);
        assert_eq!(timelock_json(restrictions.of(number(1), 5_000).timelock.as_ref())["is_active"], false);
        restrictions.change(number(1), |own| own.timelock = None);
        assert!(!restrictions.any());
    }

    #[test]
    fn a_quota_counts_each_new_chat_once_per_cycle() {
        let restrictions = Restrictions::default();
        restrictions.change(number(1), |own| own.quota = Some(NewChatQuota::new(2, Some(10), Some(475), 1_000)));
        let begin = |with, now| restrictions.begin_chat(number(1), number(with), now);
        let told = |now| quota_json(restrictions.of(number(1), now).quota.as_ref(), now);
        assert_eq!(told(1_000)["capping_status"], "NONE");
        assert_eq!((begin(2, 1_000), begin(2, 2_000), begin(3, 3_000)), (None, None, None));
        assert_eq!(
            (told(3_000)["capping_status"].as_str(), told(3_000)["used_quota"].as_str()),
            (Some("CAPPED"), Some("2"))
        );
        assert_eq!((begin(4, 4_000), begin(2, 4_000)), (Some(475), None));
        assert_eq!(told(4_000)["cycle_end_timestamp"], 11);
        assert_eq!(begin(4, 11_000), None);
        assert_eq!(
            (told(11_000)["used_quota"].as_str(), told(11_000)["cycle_start_timestamp"].as_u64()),
            (Some("1"), Some(11))
        );
    }
}
